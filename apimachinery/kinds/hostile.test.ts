/** Strategies and printers run on what users sent: whatever it holds, they complain or cope, and never throw. */
import { describe, expect, it } from 'vitest';
import type { StrategyContext } from '../kind.js';
import type { KubeObject } from '../object.js';
import { kindExtras } from './index.js';
import { validateMetadata, validateMetadataUpdate } from './metadata.js';

const context = (subresource?: string): StrategyContext => ({
  user: { name: 'mallory', groups: ['system:authenticated'] },
  now_ms: 1_700_000_000_000,
  uuid: () => '00000000-0000-4000-8000-000000000000',
  ...(subresource === undefined ? {} : { subresource }),
});

const FIELDS = [
  'spec',
  'status',
  'data',
  'binaryData',
  'stringData',
  'rules',
  'subjects',
  'roleRef',
  'webhooks',
  'endpoints',
  'ports',
  'subsets',
  'template',
  'involvedObject',
  'series',
  'target',
  'limits',
  'hard',
];
const INNER = [
  'template',
  'containers',
  'initContainers',
  'ephemeralContainers',
  'volumes',
  'ports',
  'selector',
  'tolerations',
  'affinity',
  'strategy',
  'updateStrategy',
  'jobTemplate',
  'metrics',
  'rules',
  'ingress',
  'egress',
  'limits',
  'versions',
  'names',
  'taints',
  'resources',
  'behavior',
  'volumeClaimTemplates',
  'conditions',
  'containerStatuses',
  'addresses',
  'hard',
  'used',
  'podIPs',
  'claimRef',
  'schedulingGates',
  'podSelector',
];

const VALUES: readonly unknown[] = [
  null,
  0,
  -1,
  'x',
  true,
  [],
  {},
  [null],
  ['x'],
  [[]],
  [{}],
  [{ name: null, ports: [null], env: [null] }],
  { a: null },
];

/** Parsed, so that `__proto__` is an own key as it is in a request. */
function hostileObjects(): KubeObject[] {
  const names = '{"__proto__":"x","constructor":"y","hasOwnProperty":null,"toString":{}}';
  const objects: unknown[] = [
    {},
    { metadata: null, spec: null, status: null },
    { metadata: [], spec: [], status: 'x' },
  ];
  objects.push(
    JSON.parse(`{"metadata":{"name":"a","labels":${names},"annotations":${names},"ownerReferences":[null,1,{}],"finalizers":[null,"x"]},
    "data":${names},"stringData":${names},"spec":{"selector":${names},"nodeSelector":${names},"template":{"metadata":{"labels":${names}},
    "spec":{"nodeSelector":${names},"containers":[{"name":"__proto__","resources":{"limits":${names},"requests":${names}}}],
    "volumes":[${names}]}},"containers":[{"resources":{"limits":${names}}}],"hard":${names},"limits":[{"type":"constructor","max":${names}}]},
    "status":{"conditions":[null,{"type":"constructor"}],"hard":${names}}}`),
  );
  for (const value of VALUES) {
    for (const field of FIELDS) objects.push({ metadata: { name: 'a', namespace: 'b' }, [field]: value });
    const inner = Object.fromEntries(INNER.map((field) => [field, value]));
    objects.push({ metadata: { name: 'a' }, spec: inner, status: inner });
    objects.push({
      metadata: { name: 'a' },
      spec: { template: { metadata: value, spec: inner }, jobTemplate: { spec: { template: { spec: inner } } } },
    });
  }
  return objects as KubeObject[];
}

const copy = (object: KubeObject): KubeObject => JSON.parse(JSON.stringify(object)) as KubeObject;

describe.each(Object.entries(kindExtras))('%s', (_key, extras) => {
  it('survives whatever an object holds, and defaults are idempotent', () => {
    for (const original of hostileObjects()) {
      const draft = copy(original);
      const { strategy } = extras;
      strategy?.setDefaults?.(draft);
      const once = JSON.stringify(draft);
      strategy?.setDefaults?.(draft);
      expect(JSON.stringify(draft)).toBe(once);
      strategy?.prepareForCreate?.(draft, context());
      const frozen = JSON.stringify(draft);
      for (const error of strategy?.validate?.(draft, context()) ?? []) expect(error.detail).not.toBe('');
      for (const subresource of [undefined, 'status', 'resize', 'ephemeralcontainers', 'approval', 'finalize']) {
        const next = copy(draft);
        strategy?.prepareForUpdate?.(next, draft, context(subresource));
        strategy?.validateUpdate?.(next, draft, context(subresource));
      }
      expect(JSON.stringify(draft)).toBe(frozen);
      strategy?.defaultGracePeriodSeconds?.(draft);
      expect(extras.printer?.row(original, 0).length).toBe(extras.printer?.columns.length);
      for (const select of Object.values(extras.fieldSelectors ?? {})) expect(typeof select(original)).toBe('string');
      extras.conversion?.toStorage(original);
      extras.conversion?.fromStorage(original);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

it('validates the metadata of whatever comes', () => {
  for (const object of hostileObjects()) {
    validateMetadata(object, { group: '', resource: 'pods', namespaced: true });
    validateMetadataUpdate(object, object);
  }
});
