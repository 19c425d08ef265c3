/**
 * What is held against a list, of the stored object or another field, is looked up in it: sixteen times the items do
 * not cost 256 times as much (issue 6, row 1).
 */
import { expect, it } from 'vitest';
import { present } from '../../platform/assert.js';
import type { StrategyContext } from '../kind.js';
import type { KubeObject } from '../object.js';
import { builtInScheme } from '../scheme/builtin.js';

const scheme = builtInScheme();
const context: StrategyContext = { user: { name: 'mallory', groups: [] }, now_ms: 0, uuid: () => '' };
const [SMALL, LARGE] = [1500, 24_000];
/** Linear is 16, a square 256. */
const RATIO_MAX = 60;

const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const spread = (extra: object): object => ({
  template: {
    spec: {
      containers: [{ name: 'a', image: 'b' }],
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {}, ...extra },
      ],
    },
  },
});

const LISTS: readonly (readonly [string, string, string, string, (count: number) => object])[] = [
  [
    'external addresses',
    '',
    'v1',
    'services',
    (count) => ({
      spec: {
        type: 'ClusterIP',
        externalIPs: many(count, address),
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      },
    }),
  ],
  [
    'source ranges',
    '',
    'v1',
    'services',
    (count) => ({
      spec: {
        type: 'LoadBalancer',
        loadBalancerSourceRanges: many(count, (i) => `${address(i)}/32`),
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      },
    }),
  ],
  [
    'excepted ranges',
    'networking.k8s.io',
    'v1',
    'networkpolicies',
    (count) => ({
      spec: {
        podSelector: {},
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: many(count, (i) => `${address(i)}/32`) } }] }],
      },
    }),
  ],
  [
    'keys of labels',
    '',
    'v1',
    'podtemplates',
    (count) => spread({ matchLabelKeys: many(count, (i) => `a${i}`), mismatchLabelKeys: many(count, (i) => `b${i}`) }),
  ],
  [
    'expressions beside keys',
    '',
    'v1',
    'podtemplates',
    (count) =>
      spread({
        matchLabelKeys: many(count, (i) => `a${i}`),
        labelSelector: {
          matchExpressions: many(Math.min(count / 4, 9000), (i) => ({ key: `b${i}`, operator: 'Exists' })),
        },
      }),
  ],
];

it.each(LISTS)('%s', (_what, group, version, resource, bodyOf) => {
  const { strategy } = present(scheme.byResource({ group, version, resource }), resource);
  const cost_us = (count: number): number => {
    const object = {
      apiVersion: version,
      kind: 'X',
      metadata: { name: 'a', namespace: 'b' },
      ...bodyOf(count),
    } as KubeObject;
    return Math.min(
      ...many(3, () => {
        const before = process.cpuUsage();
        strategy.validate?.(object, { ...context, old: object });
        return process.cpuUsage(before).user;
      }),
    );
  };
  cost_us(SMALL);
  const small_us = Math.max(cost_us(SMALL), 1000);
  expect(cost_us(LARGE) / small_us).toBeLessThan(RATIO_MAX);
});
