import { describe, expect, it } from 'vitest';
import { configMaps } from '../../../apimachinery/gen/resources.js';
import type { ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import { VirtualClock } from '../../../platform/clock.js';
import { seededRandom } from '../../../platform/random.js';
import { FakeObjectService } from '../../../sdk/testing/fake-object-service.js';
import type { AuthorizationAttributes } from '../ports.js';
import { authorizedObjects } from './authorized-objects.js';

const user: UserInfo = { name: 'system:serviceaccount:kube-system:c', groups: [] };
const at = { resource: configMaps, namespace: 'n', name: 'm' };
const object = { metadata: { namespace: 'n', name: 'm' } };

const CALLS: readonly (readonly [string, (service: ObjectService) => Promise<unknown>])[] = [
  ['get', (service) => service.get(at)],
  ['list', (service) => service.list({ resource: configMaps, namespace: 'n' })],
  ['watch', (service) => service.watch({ resource: configMaps, namespace: 'n' })[Symbol.asyncIterator]().next()],
  ['create', (service) => service.create({ resource: configMaps, namespace: 'n', object })],
  ['update', (service) => service.update({ ...at, object })],
  ['patch', (service) => service.patch({ ...at, type: 'merge', patch: {}, subresource: 'status' })],
  ['delete', (service) => service.delete(at)],
  ['deletecollection', (service) => service.deleteCollection({ resource: configMaps, namespace: 'n' })],
  ['get', (service) => service.discover()[Symbol.asyncIterator]().next()],
];

function subject(allowed: boolean) {
  const asked: AuthorizationAttributes[] = [];
  const fake = new FakeObjectService({ clock: new VirtualClock(), random: seededRandom(1) });
  const authorizer = {
    authorize: (attributes: AuthorizationAttributes) => {
      asked.push(attributes);
      return Promise.resolve({ allowed, reason: '' });
    },
  };
  return { asked, fake, service: authorizedObjects(fake, { user, authorizer }) };
}

it('lets the service ask for the right to create what an update or apply finds missing', async () => {
  const { asked, fake, service } = subject(true);
  for (const verb of ['update', 'patch'] as const) {
    const passed: unknown[] = [];
    fake[verb] = (_request: unknown, options) => {
      passed.push(options?.mayCreate);
      return options?.mayCreate?.() as never;
    };
    await (verb === 'update' ? service.update({ ...at, object }) : service.patch({ ...at, type: 'apply', patch: {} }));
    expect(passed).toEqual([expect.any(Function)]);
  }
  expect(asked.map(({ verb }) => verb)).toEqual(['update', 'create', 'patch', 'create']);
});

describe.each(CALLS)('%s', (verb, call) => {
  it('is refused to a user without the right, and does nothing', async () => {
    const { asked, fake, service } = subject(false);
    await expect(call(service)).rejects.toMatchObject({
      code: 403,
      message: expect.stringContaining(`User "${user.name}" cannot ${verb} `) as string,
    });
    expect([asked.map((one) => one.verb), fake.calls]).toEqual([[verb], []]);
  });

  it("is asked for once, in the user's name", async () => {
    const { asked, service } = subject(true);
    // What is not there is not found, and a watch waits: neither is the authorizer's affair.
    void call(service).catch(() => undefined);
    await expect.poll(() => asked).toMatchObject([{ user, verb }]);
  });
});
