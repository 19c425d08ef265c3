import { expect, it } from 'vitest';
import { endpointSlices } from '../../../apimachinery/gen/resources.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { VirtualClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { seededRandom } from '../../../platform/random.js';
import { clientOf } from '../../../sdk/object-client.js';
import { FakeObjectService } from '../../../sdk/testing/index.js';
import { ApiEndpoints } from './api-endpoints.js';

const LOOK_MS = 2_000;

function setUp() {
  const clock = new VirtualClock();
  const service = new FakeObjectService({ clock, random: seededRandom(1), withoutStatus: ['endpointslices'] });
  const client = clientOf(service);
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object) => void warnings.push(String((fields as { error?: unknown }).error)),
  };
  const endpoints = new ApiEndpoints({
    client,
    member: undefined,
    presence: { servers: () => [] },
    name: 'm1',
    host: '192.0.2.1',
    port: 6443,
    clock,
    logger,
  });
  return { clock, service, client, warnings, endpoints };
}

it('a server names its own address, and a refusal of it is said once, and again when it changes', async () => {
  const { clock, service, client, warnings, endpoints } = setUp();
  const refuse = (why: string, times: number) =>
    service.failNext('create', 'endpointslices', apiErrors.forbidden(endpointSlices, 'kubernetes-m1', why), times);
  refuse('the address is a loopback address', 3);
  await endpoints.start();
  await clock.advance(2 * LOOK_MS);
  refuse('the quota is used up', 2);
  await clock.advance(2 * LOOK_MS);
  expect(warnings).toEqual([expect.stringContaining('loopback'), expect.stringContaining('quota')]);
  await clock.advance(LOOK_MS);
  const slice = await client.get(endpointSlices, { namespace: 'default', name: 'kubernetes-m1' });
  expect(slice.endpoints).toMatchObject([{ addresses: ['192.0.2.1'] }]);
  // What was refused before it worked is news again.
  await client.delete(endpointSlices, { namespace: 'default', name: 'kubernetes-m1' });
  refuse('the quota is used up', 1);
  await clock.advance(LOOK_MS);
  expect(warnings).toHaveLength(3);
  await endpoints.stop();
});

it('what passes by itself is not said: no leader yet, others who write', async () => {
  const { clock, service, warnings, endpoints } = setUp();
  service.failNext('create', 'endpointslices', apiErrors.serviceUnavailable('no leader'), 1);
  await endpoints.start();
  service.failNext('create', 'endpointslices', apiErrors.conflict(endpointSlices, 'kubernetes-m1', 'another'), 1);
  await clock.advance(LOOK_MS);
  expect(warnings).toEqual([]);
  await endpoints.stop();
});
