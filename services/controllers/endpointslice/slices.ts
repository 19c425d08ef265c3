/** From the endpoints that there ought to be to the slices that hold them (KEP-752). Pure functions. */
import type { Endpoint, EndpointSlice } from '../../../apimachinery/gen/types.js';
import { equalJson } from '../lib/equal.js';
import { ENDPOINTS_PER_SLICE_MAX, type EndpointGroup } from './endpoints.js';

/** What a slice is to hold; without a slice a new one is made. */
export interface SliceContent extends EndpointGroup {
  readonly slice: EndpointSlice | undefined;
}

interface SlicePlan {
  readonly write: readonly SliceContent[];
  readonly remove: readonly EndpointSlice[];
}

/**
 * As few changes as can be: endpoints stay in their slice, and a slice of ports that no pod has any more is filled
 * anew.
 */
export function planSlices(existing: readonly EndpointSlice[], groups: readonly EndpointGroup[]): SlicePlan {
  const unused = new Set(existing);
  const write: SliceContent[] = [];
  const hasPorts = (slice: EndpointSlice, { ports }: EndpointGroup) => equalJson(slice.ports ?? [], ports);
  for (const group of groups) {
    const mine = existing.filter((slice) => unused.has(slice) && hasPorts(slice, group));
    for (const chunk of distribute(group.endpoints, mine)) {
      const slice = chunk.slice ?? [...unused].find((candidate) => !groups.some((one) => hasPorts(candidate, one)));
      if (slice !== undefined) unused.delete(slice);
      write.push({ ports: group.ports, endpoints: chunk.endpoints, slice });
    }
  }
  return { write, remove: [...unused] };
}

interface Chunk {
  readonly slice: EndpointSlice | undefined;
  readonly endpoints: readonly Endpoint[];
}

/** Endpoints stay where they are; new ones fill slices with room; what is left makes new slices. */
function distribute(endpoints: readonly Endpoint[], slices: readonly EndpointSlice[]): Chunk[] {
  const home = new Map<string, EndpointSlice>();
  for (const slice of slices)
    for (const endpoint of slice.endpoints ?? []) home.set(endpoint.targetRef?.uid ?? '', slice);
  const kept = new Map<EndpointSlice, Endpoint[]>(slices.map((slice) => [slice, []]));
  const homeless: Endpoint[] = [];
  for (const endpoint of endpoints) {
    const slice = home.get(endpoint.targetRef?.uid ?? '');
    const place = slice === undefined ? undefined : kept.get(slice);
    if (place === undefined || place.length >= ENDPOINTS_PER_SLICE_MAX) homeless.push(endpoint);
    else place.push(endpoint);
  }
  for (const place of kept.values()) place.push(...homeless.splice(0, ENDPOINTS_PER_SLICE_MAX - place.length));
  const chunks: Chunk[] = [...kept]
    .filter(([, list], index) => list.length > 0 || (index === 0 && endpoints.length === 0))
    .map(([slice, list]) => ({ slice, endpoints: list }));
  while (homeless.length > 0) chunks.push({ slice: undefined, endpoints: homeless.splice(0, ENDPOINTS_PER_SLICE_MAX) });
  return chunks.length === 0 ? [{ slice: undefined, endpoints: [] }] : chunks;
}
