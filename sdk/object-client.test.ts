import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../platform/clock.js';
import { seededRandom } from '../platform/random.js';
import type { ObjectService } from '../apimachinery/object-service.js';
import { configMaps } from '../apimachinery/gen/resources.js';
import { apiErrors } from '../apimachinery/status.js';
import { clientOf } from './object-client.js';
import { clientConformance } from './testing/client-conformance.js';
import { FakeObjectService } from './testing/fake-object-service.js';

const fake = () => new FakeObjectService({ clock: new VirtualClock(), random: seededRandom(1) });

clientConformance('in process, on the fake', async () => ({
  client: clientOf(fake()),
  close: () => Promise.resolve(),
}));

describe('clientOf', () => {
  it('lists afresh when the pages expire half-way', async () => {
    const service = fake();
    const client = clientOf(service);
    for (let i = 0; i < 501; i++) await client.create(configMaps, { metadata: { name: `c${i}`, namespace: 'd' } });
    let pages = 0;
    const expiring: ObjectService = Object.assign(Object.create(service) as ObjectService, {
      list: (request: Parameters<ObjectService['list']>[0]) => {
        pages++;
        if (request.continue !== undefined) throw apiErrors.expired('The provided continue parameter is too old');
        return service.list(request);
      },
    });
    expect((await clientOf(expiring).list(configMaps)).items).toHaveLength(501);
    expect(pages).toBe(3);
  });

  it('turns every other error into an ApiError', async () => {
    const broken: ObjectService = Object.assign(Object.create(fake()) as ObjectService, {
      get: () => Promise.reject(new TypeError('undefined is not a function')),
    });
    await expect(clientOf(broken).get(configMaps, { namespace: 'd', name: 'a' })).rejects.toMatchObject({
      code: 500,
      reason: 'InternalError',
    });
  });
});
