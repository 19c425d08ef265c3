/** Refusals of bodies with faults without number are short, and cost little (issue 6, row 3). */
import { Agent, fetch } from 'undici';
import { expect, it } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

const many = <T>(count: number, one: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => one(i));
const map = (count: number, entry: (i: number) => [string, unknown]) => Object.fromEntries(many(count, entry));
const pod = (spec: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a', ...metadata },
  spec: { containers: [{ name: 'a', image: 'b' }], ...spec },
});
const configMap = (metadata: object, data: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', ...metadata },
  data,
});
const HUGE = 'x'.repeat(1_000_000);

it.each<[string, string, object]>([
  ['empty owners', 'configmaps', configMap({ ownerReferences: many(8000, () => ({})) })],
  [
    'owners that all control',
    'configmaps',
    configMap({
      ownerReferences: many(8000, (i) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        name: `p${i}`,
        uid: 'x',
        controller: true,
      })),
    }),
  ],
  ['finalizers', 'configmaps', configMap({ finalizers: many(9000, (i) => `no finalizer ${i}`) })],
  ['labels', 'configmaps', configMap({ labels: map(9000, (i) => [`_${i}_`, '!']) })],
  ['annotations', 'configmaps', configMap({ annotations: map(9000, (i) => [`_${i}_`, '']) })],
  [
    'keys of data',
    'configmaps',
    configMap(
      {},
      map(9000, (i) => [`${i}/`, '']),
    ),
  ],
  ['empty containers', 'pods', pod({ containers: many(9000, () => ({})) })],
  ['containers of one name', 'pods', pod({ containers: many(9000, () => ({ name: 'a', image: 'b' })) })],
  ['empty volumes', 'pods', pod({ volumes: many(9000, () => ({})) })],
  ['empty variables', 'pods', pod({ containers: [{ name: 'a', image: 'b', env: many(9000, () => ({})) }] })],
  [
    'ports out of range',
    'pods',
    pod({ containers: [{ name: 'a', image: 'b', ports: many(9000, () => ({ containerPort: 70_000 })) }] }),
  ],
  ['tolerations', 'pods', pod({ tolerations: many(9000, () => ({ operator: 'Nonsense' })) })],
  [
    'ports of a service',
    'services',
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: many(9000, () => ({ port: -1 })) } },
  ],
  [
    'subjects',
    'rolebindings',
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'a' },
      roleRef: {},
      subjects: many(9000, () => ({})),
    },
  ],
  [
    'endpoints',
    'endpointslices',
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'a' },
      addressType: 'IPv4',
      endpoints: many(9000, () => ({ addresses: ['x'] })),
    },
  ],
  ['a huge name', 'configmaps', configMap({ name: HUGE })],
  ['a huge namespace', 'configmaps', configMap({ namespace: HUGE })],
  ['a huge prefix', 'configmaps', configMap({ name: '', generateName: HUGE })],
  ['a huge label', 'configmaps', configMap({ labels: { [HUGE]: HUGE } })],
  ['a huge key', 'configmaps', configMap({}, { [`${HUGE}/`]: HUGE })],
  ['a huge kind', 'configmaps', { ...configMap({}), kind: HUGE }],
  ['a huge version', 'configmaps', { ...configMap({}), apiVersion: HUGE }],
  ['a huge time', 'configmaps', configMap({ creationTimestamp: HUGE })],
  ['a huge unknown field', 'configmaps', { ...configMap({}), [HUGE]: 1 }],
  [
    'a huge quantity',
    'pods',
    pod({ containers: [{ name: 'a', image: 'b', resources: { limits: { cpu: '1'.repeat(1_000_000) } } }] }),
  ],
  ['a huge policy', 'pods', pod({ restartPolicy: HUGE })],
])('%s', async (_name, resource, body) => {
  await using test = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: test.certificate } });
  const group = (body as { apiVersion: string }).apiVersion;
  const base = group.includes('.') ? `/apis/${group}` : '/api/v1';
  const response = await fetch(`${test.url}${base}/namespaces/default/${resource}?fieldValidation=Strict`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    dispatcher,
  });
  const text = await response.text();
  await dispatcher.destroy();
  const { details } = JSON.parse(text) as { details?: { causes?: unknown[] } };
  expect([400, 422]).toContain(response.status);
  expect(details?.causes?.length ?? 0).toBeLessThanOrEqual(100);
  expect(text.length).toBeLessThan(128 * 1024);
});
