import { expect, it } from 'vitest';
import { ipAddresses, serviceCIDRs, services } from '../../../apimachinery/gen/resources.js';
import type { Service } from '../../../apimachinery/gen/types.js';
import { VirtualClock } from '../../../platform/clock.js';
import { startRegistry } from '../../apiserver/registry/testing.js';
import { ensureAddresses, ensureServiceCidr } from './service-addresses.js';

it('the range of Services is an object that is ready, and each address in use has its own (KEP-1880), at every start again', async () => {
  await using test = await startRegistry({});
  const { service } = test;
  const make = (name: string, spec: object) =>
    service.create({
      resource: services,
      namespace: 'default',
      object: { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } } as Service,
    });
  await make('old', { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] });
  await make('headless', { clusterIP: 'None', clusterIPs: ['None'] });
  for (let start = 0; start < 2; start++) {
    await ensureServiceCidr(service, '10.96.0.0/12', new VirtualClock());
    await ensureAddresses(service);
    expect((await service.get({ resource: serviceCIDRs, name: 'kubernetes' })).object).toMatchObject({
      spec: { cidrs: ['10.96.0.0/12'] },
      status: { conditions: [{ type: 'Ready', status: 'True', message: 'Kubernetes default Service CIDR is ready' }] },
    });
    expect((await service.list({ resource: ipAddresses })).items.map(({ object }) => object)).toMatchObject([
      {
        metadata: { name: '10.96.0.9' },
        spec: { parentRef: { resource: 'services', namespace: 'default', name: 'old' } },
      },
    ]);
  }
});
