/**
 * What the cluster says of its Services' addresses: the ServiceCIDR `kubernetes`, and an IPAddress for each address in
 * use (KEP-1880).
 */
import { ipAddresses, serviceCIDRs, services } from '../../../apimachinery/gen/resources.js';
import type { Service, ServiceCIDR } from '../../../apimachinery/gen/types.js';
import type { ObjectService } from '../../../apimachinery/object-service.js';
import { isApiError } from '../../../apimachinery/status.js';
import { toTime, type Clock } from '../../../platform/clock.js';
import { addressObject } from '../../apiserver/allocation/ip-address.js';
import { createUnlessThere } from './create-unless-there.js';

const NAME = 'kubernetes';

export async function ensureServiceCidr(service: ObjectService, serviceCidr: string, clock: Clock): Promise<void> {
  await createUnlessThere<ServiceCIDR>(service, serviceCIDRs, {
    metadata: { name: NAME },
    spec: { cidrs: [serviceCidr] },
  });
  const { object } = await service.get({ resource: serviceCIDRs, name: NAME });
  if ((object as ServiceCIDR).status?.conditions?.some(({ type }) => type === 'Ready') === true) return;
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes default Service CIDR is ready',
    lastTransitionTime: toTime(clock.now()),
  };
  await service
    .update({
      resource: serviceCIDRs,
      name: NAME,
      subresource: 'status',
      object: { ...object, status: { conditions: [condition] } } as ServiceCIDR,
    })
    .catch((error: unknown) => {
      // Another member was faster.
      if (!isApiError(error, 'Conflict')) throw error;
    });
}

/**
 * For Services of a version that did not write them, and for those that somebody deleted. New ones are written with
 * their Service.
 */
export async function ensureAddresses(service: ObjectService): Promise<void> {
  const present = new Set(
    (await service.list({ resource: ipAddresses })).items.map(({ object }) => object.metadata?.name),
  );
  for (const { object } of (await service.list({ resource: services })).items) {
    const { metadata, spec } = object as Service;
    const address = spec?.clusterIP ?? '';
    if (address === '' || address === 'None' || present.has(address)) continue;
    await createUnlessThere(
      service,
      ipAddresses,
      addressObject(address, { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' }),
    );
  }
}
