/** What EndpointSlices and Endpoints say of the Service they belong to (KEP-752). */
import type { EndpointSlice, Service } from '../../../apimachinery/gen/types.js';
import { SERVICE_NAME_LABEL } from '../../../apimachinery/well-known.js';

/** On Endpoints: no slices are made from them. */
export const SKIP_MIRROR_LABEL = 'endpointslice.kubernetes.io/skip-mirror';
const HEADLESS = 'service.kubernetes.io/headless';

/** The key of a slice's Service, as an index takes it; none for a slice that names no Service. */
export function serviceOfSlice({ metadata }: EndpointSlice): string[] {
  const name = metadata?.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? [] : [`${metadata?.namespace ?? ''}/${name}`];
}

/** A Service's own labels, and that it has no address where it has none. */
export const labelsFrom = ({ metadata, spec }: Service): Record<string, string> => ({
  ...metadata?.labels,
  ...(spec?.clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
});
