/** Every kind that holds expressions of CEL compiles them in slices (issue 6, rows 1 and 6). */
import { expect, it } from 'vitest';
import { present } from '../../platform/assert.js';
import { costOf } from '../../platform/testing-work.js';
import type { StrategyContext } from '../kind.js';
import type { KubeObject } from '../object.js';
import { builtInScheme } from '../scheme/builtin.js';

const scheme = builtInScheme();
const context: StrategyContext = { user: { name: 'mallory', groups: [] }, now_ms: 0, uuid: () => '' };
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const long = (i: number, what: string): string => many(100, (n) => `${what} != "${i}-${n}"`).join(' && ');
const constraints = {
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
};
const conditions = (count: number) =>
  many(count, (i) => ({ name: `c${i}`, expression: long(i, 'object.metadata.name') }));
const webhook = (i: number) => ({
  name: `a${i}.b.c`,
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  clientConfig: { url: 'https://a/b' },
  failurePolicy: 'Fail',
  matchPolicy: 'Exact',
  timeoutSeconds: 1,
  matchConditions: conditions(20),
});
const request = (i: number) => ({
  name: `r${i}`,
  exactly: {
    deviceClassName: 'a',
    allocationMode: 'ExactCount',
    count: 1,
    selectors: many(10, (n) => ({ cel: { expression: long(10 * i + n, 'device.driver') } })),
  },
});

const OBJECTS: readonly (readonly [string, string, string, object])[] = [
  [
    'admissionregistration.k8s.io',
    'v1',
    'validatingadmissionpolicies',
    {
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: constraints,
        validations: many(200, (i) => ({ expression: long(i, 'object.metadata.name') })),
      },
    },
  ],
  [
    'admissionregistration.k8s.io',
    'v1',
    'validatingadmissionpolicies',
    {
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: constraints,
        variables: many(200, (i) => ({ name: `v${i}`, expression: long(i, 'object.metadata.name') })),
        validations: [{ expression: 'true' }],
      },
    },
  ],
  ['admissionregistration.k8s.io', 'v1', 'validatingwebhookconfigurations', { webhooks: many(10, webhook) }],
  ['admissionregistration.k8s.io', 'v1', 'mutatingwebhookconfigurations', { webhooks: many(10, webhook) }],
  ['resource.k8s.io', 'v1', 'resourceclaims', { spec: { devices: { requests: many(20, request) } } }],
  [
    'resource.k8s.io',
    'v1',
    'resourceclaimtemplates',
    { spec: { spec: { devices: { requests: many(20, (i) => request(i + 20)) } } } },
  ],
  [
    'resource.k8s.io',
    'v1',
    'deviceclasses',
    { spec: { selectors: many(32, (i) => ({ cel: { expression: long(i + 400, 'device.driver') } })) } },
  ],
];

it.each(OBJECTS)('%s/%s %s', (group, version, resource, body) => {
  const kind = present(scheme.byResource({ group, version, resource }), resource);
  const object = {
    apiVersion: `${group}/${version}`,
    kind: kind.kind,
    metadata: { name: 'a', namespace: 'b' },
    ...structuredClone(body),
  } as KubeObject;
  kind.strategy.setDefaults?.(object);
  const work = present(kind.strategy.validateWork, `${resource} are not validated in slices`);
  const { total, longest } = costOf(work(object, context));
  expect(total).toBeGreaterThan(500_000);
  // No text is longer than 3 KB: a pass over it is the longest piece.
  expect(longest).toBeLessThan(20_000);
  expect(kind.strategy.validate?.(object, context)).toEqual([]);
});
