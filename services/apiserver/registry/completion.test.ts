import { expect, it } from 'vitest';
import { services } from '../../../apimachinery/gen/resources.js';
import { completeStoredService } from '../allocation/ip-families.js';
import { startRegistry } from './testing.js';

const stored = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'old', namespace: 'default', uid: 'u' },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.9',
    clusterIPs: ['10.96.0.9'],
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
  },
};
const whole = { spec: { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', clusterIP: '10.96.0.9' } };

// kube-controller-manager v1.36 panics on a Service that does not say its families.
it('a Service that an older version stored is whole wherever it is read: get, list, watch, and before an update', async () => {
  await using test = await startRegistry({});
  test.registry.register({ resource: services, completion: completeStoredService });
  const key = Buffer.from(`${test.registry.prefixOf(services)}default/old`);
  await test.store.txn(
    { compare: [], success: [{ kind: 'put', key, value: Buffer.from(JSON.stringify(stored)) }], failure: [] },
    {},
  );
  const target = { resource: services, namespace: 'default', name: 'old' };
  const fresh = await test.service.get(target);
  expect([fresh.object, JSON.parse(Buffer.from(fresh.json).toString())]).toMatchObject([whole, whole]);
  expect(
    (await test.service.list({ resource: services, resourceVersion: '0' })).items.map(({ object }) => object),
  ).toMatchObject([whole]);
  for await (const event of test.service.watch({ resource: services, namespace: 'default' }, {})) {
    expect(event.handle.object).toMatchObject(whole);
    break;
  }
  const patched = await test.service.patch({ ...target, type: 'merge', patch: { metadata: { labels: { a: 'b' } } } });
  expect(patched.object).toMatchObject({ ...whole, metadata: { labels: { a: 'b' } } });
});
