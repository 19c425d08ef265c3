import { describe, expect, it } from 'vitest';
import { present } from '../../platform/assert.js';
import type { Deployment, Service } from '../gen/types.js';
import type { KubeObject, ManagedFieldsEntry } from '../object.js';
import { builtInScheme } from '../scheme/builtin.js';
import { resolverOf } from '../schema/resolve.js';
import { isApiError } from '../status.js';
import type { ApiError } from '../status.js';
import type { JsonObject } from '../value.js';
import { applyPatch, trackUpdate, withManagedFields } from './apply.js';
import type { FieldOwner } from './apply.js';
import { compareObjectsWork } from './compare.js';
import { FieldSet, formatFieldsV1, formatPath, parseFieldsV1 } from './field-set.js';

const scheme = builtInScheme();
const factsOf = (group: string, kind: string) => ({
  schema: present(scheme.byKind({ group, version: 'v1', kind }), kind).schema,
  resolver: resolverOf(scheme),
});
const deployments = factsOf('apps', 'Deployment');
const configMaps = factsOf('', 'ConfigMap');
const services = factsOf('', 'Service');
const pods = factsOf('', 'Pod');

const owner = (manager: string, time = '2026-01-01T00:00:00Z', apiVersion = 'apps/v1'): FieldOwner => ({
  manager,
  apiVersion,
  time,
});
const deployment = (spec: object): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: spec as NonNullable<Deployment['spec']>,
});
const fieldsOf = (object: KubeObject, manager: string): unknown =>
  object.metadata?.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1;

function conflictOf(run: () => unknown): ApiError {
  try {
    run();
  } catch (error) {
    if (isApiError(error)) return error;
    throw error;
  }
  throw new Error('there was no conflict');
}

const configMap = (
  data?: Record<string, string>,
  managedFields?: ManagedFieldsEntry[],
): KubeObject & { data?: Record<string, string> } => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', ...(managedFields === undefined ? {} : { managedFields }) },
  ...(data === undefined ? {} : { data }),
});

describe('FieldsV1', () => {
  it('is canonical: fields, keys, values, positions; dots first', () => {
    const fields = { 'i:0': {}, 'v:"x"': {}, 'k:{"name":"a"}': { 'f:image': {}, '.': {} }, 'f:b': {}, 'f:a': {} };
    expect(JSON.stringify(formatFieldsV1(parseFieldsV1(fields)))).toBe(
      '{"f:a":{},"f:b":{},"k:{\\"name\\":\\"a\\"}":{".":{},"f:image":{}},"v:\\"x\\"":{},"i:0":{}}',
    );
  });

  it('has the algebra of sets', () => {
    const set = (...paths: string[][]): FieldSet => {
      const made = new FieldSet();
      for (const path of paths) made.insert(path);
      return made;
    };
    const [a, b] = [set(['f:x'], ['f:y', 'f:z']), set(['f:x'], ['f:w'])];
    expect(a.union(b).equals(set(['f:x'], ['f:w'], ['f:y', 'f:z']))).toBe(true);
    expect(a.intersection(b).equals(set(['f:x']))).toBe(true);
    expect(a.difference(b).equals(set(['f:y', 'f:z']))).toBe(true);
    expect(a.difference(set(['f:y'])).equals(a)).toBe(true);
    expect(a.difference(set(['f:y']), true).equals(set(['f:x']))).toBe(true);
  });

  it('prints paths as conflicts show them', () => {
    expect(formatPath(['f:spec', 'f:ports', 'k:{"containerPort":80,"protocol":"TCP"}', 'f:name'])).toBe(
      '.spec.ports[containerPort=80,protocol="TCP"].name',
    );
    expect(formatPath(['f:metadata', 'f:finalizers', 'v:"x"'])).toBe('.metadata.finalizers[="x"]');
  });

  it('reads hostile fields without harm', () => {
    expect(parseFieldsV1(JSON.parse('{"f:__proto__":{"f:x":{}},"nonsense":1,"f:a":7}')).children.size).toBe(2);
    expect(parseFieldsV1('x').isEmpty).toBe(true);
  });
});

describe('apply (KEP-555)', () => {
  const config = deployment({
    replicas: 3,
    template: { spec: { containers: [{ name: 'web', image: 'a', ports: [{ containerPort: 80 }] }] } },
  });

  it('creates, and owns what it names', () => {
    const created = applyPatch<Deployment>({ live: undefined, config, owner: owner('me') }, deployments);
    expect(fieldsOf(created, 'me')).toEqual({
      'f:spec': {
        'f:replicas': {},
        'f:template': {
          'f:spec': {
            'f:containers': {
              'k:{"name":"web"}': {
                '.': {},
                'f:image': {},
                'f:name': {},
                'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
              },
            },
          },
        },
      },
    });
    expect(config.metadata).toEqual({ name: 'web' });
  });

  it('changes nothing, not even the time, when the same is applied again', () => {
    const first = applyPatch<Deployment>(
      { live: undefined, config, owner: owner('me', '2026-01-01T00:00:00Z') },
      deployments,
    );
    expect(applyPatch({ live: first, config, owner: owner('me', '2027-01-01T00:00:00Z') }, deployments)).toEqual(first);
  });

  it("refuses to take a field from another manager, in Kubernetes' words", () => {
    const first = applyPatch<Deployment>({ live: undefined, config, owner: owner('me') }, deployments);
    const scaled = deployment({ ...first.spec, replicas: 5 });
    const tracked = withManagedFields(
      scaled,
      trackUpdate({ before: first, after: scaled, owner: owner('kubectl') }, deployments),
    );
    const conflict = conflictOf(() => applyPatch({ live: tracked, config, owner: owner('me') }, deployments));
    expect(conflict.code).toBe(409);
    expect(conflict.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
    );
    expect(conflict.status.details?.causes).toEqual([
      { reason: 'FieldManagerConflict', message: 'conflict with "kubectl" using apps/v1', field: '.spec.replicas' },
    ]);
    const forced = applyPatch<Deployment>({ live: tracked, config, owner: owner('me'), force: true }, deployments);
    expect(forced.spec?.replicas).toBe(3);
    expect(fieldsOf(forced, 'kubectl')).toBeUndefined();
  });

  it('lists several conflicts by manager', () => {
    const live = applyPatch<KubeObject>(
      { live: undefined, config: configMap({ a: '1', b: '2' }), owner: owner('one') },
      configMaps,
    );
    expect(
      conflictOf(() => applyPatch({ live, config: configMap({ a: 'x', b: 'y' }), owner: owner('two') }, configMaps))
        .message,
    ).toBe('Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b');
  });

  it('shares a field that both set alike, and keeps it until the last lets go', () => {
    const one = applyPatch<KubeObject>(
      { live: undefined, config: configMap({ a: '1', b: '1' }), owner: owner('one') },
      configMaps,
    );
    const both = applyPatch<KubeObject>({ live: one, config: configMap({ a: '1' }), owner: owner('two') }, configMaps);
    const left = applyPatch<KubeObject & { data?: unknown }>(
      { live: both, config: configMap(), owner: owner('one') },
      configMaps,
    );
    expect(left.data).toEqual({ a: '1' });
    const none = applyPatch<KubeObject & { data?: unknown }>(
      { live: left, config: configMap(), owner: owner('two') },
      configMaps,
    );
    expect(none.data).toBeUndefined();
    expect(none.metadata?.managedFields).toBeUndefined();
  });

  it('removes items of lists, but not what others put into them', () => {
    const two = deployment({
      template: {
        spec: {
          containers: [
            { name: 'web', image: 'a' },
            { name: 'side', image: 'b' },
          ],
        },
      },
    });
    const first = applyPatch<Deployment>({ live: undefined, config: two, owner: owner('me') }, deployments);
    const env = deployment({
      template: { spec: { containers: [{ name: 'side', env: [{ name: 'X', value: '1' }] }] } },
    });
    const second = applyPatch<Deployment>({ live: first, config: env, owner: owner('injector') }, deployments);
    const third = applyPatch<Deployment>(
      {
        live: second,
        config: deployment({ template: { spec: { containers: [{ name: 'web', image: 'a' }] } } }),
        owner: owner('me'),
      },
      deployments,
    );
    expect(third.spec?.template.spec?.containers).toEqual([
      { name: 'web', image: 'a' },
      { name: 'side', env: [{ name: 'X', value: '1' }] },
    ]);
    const alone = applyPatch<Deployment>(
      {
        live: first,
        config: deployment({ template: { spec: { containers: [{ name: 'web', image: 'a' }] } } }),
        owner: owner('me'),
      },
      deployments,
    );
    expect(alone.spec?.template.spec?.containers).toEqual([{ name: 'web', image: 'a' }]);
  });

  it('keeps one port number for two protocols apart', () => {
    const dns: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: {
        ports: [
          { name: 't', port: 53 },
          { name: 'u', port: 53, protocol: 'UDP' },
        ],
      },
    };
    const live = applyPatch<Service>({ live: undefined, config: dns, owner: owner('me') }, services);
    const changed = applyPatch<Service>(
      { live, config: { ...dns, spec: { ports: [{ name: 'u', port: 53, protocol: 'UDP' }] } }, owner: owner('me') },
      services,
    );
    expect(changed.spec?.ports).toEqual([{ name: 'u', port: 53, protocol: 'UDP' }]);
    const twice = { ...dns, spec: { ports: [{ port: 53 }, { port: 53, protocol: 'TCP' }] } };
    expect(conflictOf(() => applyPatch({ live: undefined, config: twice, owner: owner('me') }, services)).code).toBe(
      400,
    );
  });

  it('treats atomic lists and maps as one', () => {
    const withSelector = (matchLabels: object): Deployment => deployment({ selector: { matchLabels } });
    const live = applyPatch<Deployment>(
      { live: undefined, config: withSelector({ a: '1', b: '2' }), owner: owner('me') },
      deployments,
    );
    expect(fieldsOf(live, 'me')).toEqual({ 'f:spec': { 'f:selector': {} } });
    expect(
      applyPatch<Deployment>({ live, config: withSelector({ a: '1' }), owner: owner('me') }, deployments).spec
        ?.selector,
    ).toEqual({ matchLabels: { a: '1' } });
  });

  it('gives what was there before to before-first-apply', () => {
    const conflict = conflictOf(() =>
      applyPatch(
        {
          live: configMap({ a: '1' }),
          config: configMap({ a: '2' }),
          owner: owner('me', '2026-01-01T00:00:00Z', 'v1'),
        },
        configMaps,
      ),
    );
    expect(conflict.message).toContain('"before-first-apply" using v1: .data.a');
  });

  it('ignores fields the endpoint resets', () => {
    const status = { ...config, status: { replicas: 9 } };
    const created = applyPatch<Deployment>(
      { live: undefined, config: status, owner: owner('me'), resetFields: [['status']] },
      deployments,
    );
    expect(created.status).toBeUndefined();
    expect(fieldsOf(created, 'me')).not.toHaveProperty('f:status');
  });

  it('merges sets and keeps the order of items', () => {
    const pod = (finalizers: string[]): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', finalizers },
    });
    const one = applyPatch<KubeObject>({ live: undefined, config: pod(['a', 'b']), owner: owner('one') }, pods);
    const two = applyPatch<KubeObject>({ live: one, config: pod(['c', 'b']), owner: owner('two') }, pods);
    expect(two.metadata?.finalizers).toEqual(['a', 'c', 'b']);
    expect(
      applyPatch<KubeObject>({ live: two, config: pod(['b']), owner: owner('one') }, pods).metadata?.finalizers,
    ).toEqual(['c', 'b']);
  });
});

describe('tracking of updates', () => {
  it('gives a creator all fields, and names maps themselves', () => {
    const after = configMap({ a: '1' });
    expect(
      trackUpdate(
        { before: undefined, after, owner: owner('kubectl-create', '2026-01-01T00:00:00Z', 'v1') },
        configMaps,
      ),
    ).toEqual([
      {
        manager: 'kubectl-create',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } },
      },
    ]);
  });

  it('moves changed fields to the last writer and forgets removed ones', () => {
    const first = configMap({ a: '1', b: '1', c: '1' });
    const created = withManagedFields(
      first,
      trackUpdate({ before: undefined, after: first, owner: owner('one') }, configMaps),
    );
    const after = configMap({ a: '1', b: '2' });
    const entries = trackUpdate({ before: created, after, owner: owner('two', '2026-02-01T00:00:00Z') }, configMaps);
    expect(entries.map((entry) => [entry.manager, entry.time, entry.fieldsV1])).toEqual([
      ['one', '2026-01-01T00:00:00Z', { 'f:data': { '.': {}, 'f:a': {} } }],
      ['two', '2026-02-01T00:00:00Z', { 'f:data': { 'f:b': {} } }],
    ]);
  });

  it('returns the very same list when nothing changed', () => {
    const first = configMap({ a: '1' });
    const created = withManagedFields(
      first,
      trackUpdate({ before: undefined, after: first, owner: owner('one') }, configMaps),
    );
    expect(trackUpdate({ before: created, after: structuredClone(created), owner: owner('two') }, configMaps)).toBe(
      created.metadata?.managedFields,
    );
  });

  it('keeps the status of a subresource apart, and forgets all on request', () => {
    const created = deployment({ replicas: 1 });
    const before = withManagedFields(
      created,
      trackUpdate({ before: undefined, after: created, owner: owner('one') }, deployments),
    );
    const after = { ...created, status: { replicas: 1 } };
    const entries = trackUpdate(
      {
        before,
        after: { ...after, metadata: before.metadata ?? {} },
        owner: { ...owner('controller', '2026-01-02T00:00:00Z'), subresource: 'status' },
      },
      deployments,
    );
    expect(entries).toMatchObject([
      { manager: 'one' },
      { manager: 'controller', subresource: 'status', fieldsV1: { 'f:status': { 'f:replicas': {} } } },
    ]);
    expect(
      trackUpdate({ before, after: { ...after, metadata: { managedFields: [{}] } }, owner: owner('x') }, deployments),
    ).toEqual([]);
  });

  it('takes stored duplicates as one item, and an apply mends them', () => {
    const env = (...values: string[]) =>
      deployment({
        template: { spec: { containers: [{ name: 'web', env: values.map((value) => ({ name: 'X', value })) }] } },
      });
    const created = withManagedFields(
      env('1', '2'),
      trackUpdate({ before: undefined, after: env('1', '2'), owner: owner('old') }, deployments),
    );
    expect(trackUpdate({ before: created, after: structuredClone(created), owner: owner('new') }, deployments)).toBe(
      created.metadata?.managedFields,
    );
    const changed = trackUpdate({ before: created, after: env('1', '3'), owner: owner('new') }, deployments);
    expect(JSON.stringify(changed.find((entry) => entry.manager === 'new')?.fieldsV1)).toContain(
      'k:{\\"name\\":\\"X\\"}',
    );
    const mended = applyPatch({ live: created, config: env('5'), owner: owner('me'), force: true }, deployments);
    expect(mended.spec?.template.spec?.containers[0]?.env).toEqual([{ name: 'X', value: '5' }]);
    const beside = deployment({
      template: { spec: { containers: [{ name: 'web', env: [{ name: 'Y', value: '1' }] }] } },
    });
    expect(
      applyPatch({ live: created, config: beside, owner: owner('me') }, deployments).spec?.template.spec?.containers[0]
        ?.env,
    ).toHaveLength(3);
  });

  it('bounds the number of updaters', () => {
    let live = configMap({ k: '0' });
    live = withManagedFields(live, trackUpdate({ before: undefined, after: live, owner: owner('first') }, configMaps));
    for (let i = 0; i < 30; i += 1) {
      const after = configMap({ ...live.data, [`k${i}`]: '1' });
      live = withManagedFields(
        after,
        trackUpdate(
          { before: live, after, owner: owner(`m${i}`, `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`) },
          configMaps,
        ),
      );
    }
    expect(live.metadata?.managedFields).toHaveLength(10);
    expect(live.metadata?.managedFields?.[0]?.manager).toBe('ancient-changes');
  });
});

/**
 * What `.` marks: lists, maps and optional structures that the writer brought into being; not what Go's types always
 * have.
 */
describe('FieldsV1 of a create', () => {
  const created = (spec: object): unknown =>
    trackUpdate({ before: undefined, after: deployment(spec), owner: owner('me') }, deployments)[0]?.fieldsV1;
  const below = (fields: object): unknown => ({ 'f:spec': { 'f:template': { 'f:spec': fields } } });
  it.each<[string, object, unknown]>([
    [
      'a structure held by value is not marked',
      { strategy: { type: 'Recreate' } },
      { 'f:spec': { 'f:strategy': { 'f:type': {} } } },
    ],
    [
      'an optional one is',
      { strategy: { rollingUpdate: { maxSurge: 1 } } },
      { 'f:spec': { 'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {} } } } },
    ],
    [
      'a required list is not',
      { template: { spec: { containers: [{ name: 'c', image: 'i' }] } } },
      below({ 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} } } }),
    ],
    [
      'another is',
      { template: { spec: { volumes: [{ name: 'v', emptyDir: {} }] } } },
      below({ 'f:volumes': { '.': {}, 'k:{"name":"v"}': { '.': {}, 'f:emptyDir': {}, 'f:name': {} } } }),
    ],
    [
      'a map is',
      { template: { metadata: { labels: { a: 'b' } } } },
      { 'f:spec': { 'f:template': { 'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } } } } },
    ],
    ['an atomic map is one', { template: { spec: { nodeSelector: { a: 'b' } } } }, below({ 'f:nodeSelector': {} })],
  ])('%s', (_what, spec, expected) => expect(created(spec)).toEqual(expected));

  it('a set has its items under keys of their own', () => {
    const after: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', finalizers: ['a.b/c'] } };
    expect(trackUpdate({ before: undefined, after, owner: owner('me') }, pods)[0]?.fieldsV1).toEqual({
      'f:metadata': { 'f:finalizers': { '.': {}, 'v:"a.b/c"': {} } },
    });
  });

  it('an applier owns neither empty lists nor the list itself', () => {
    const applied = applyPatch<Deployment>(
      {
        live: undefined,
        config: deployment({ template: { spec: { containers: [{ name: 'c', env: [] }] } } }),
        owner: owner('me'),
      },
      deployments,
    );
    expect(fieldsOf(applied, 'me')).toEqual(below({ 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:name': {} } } }));
  });
});

describe('costs (issue 6, rows 1 and 3)', () => {
  it('of ten thousand conflicts a hundred are told, and how many there are', () => {
    const data = (value: string) => Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, value]));
    const live = applyPatch({ live: undefined, config: configMap(data('a')), owner: owner('first') }, configMaps);
    const { status } = conflictOf(() =>
      applyPatch({ live, config: configMap(data('b')), owner: owner('second') }, configMaps),
    );
    expect(status.message).toMatch(/^Apply failed with 10000 conflicts: conflicts with "first":\n- \.data\.k0\n/);
    expect(status.details?.causes).toHaveLength(100);
    expect(status.message?.split('\n')).toHaveLength(101);
  });

  it('forty thousand items without keys are owned as one in the time that they take to be looked at', () => {
    const containers = Array.from({ length: 40_000 }, () => ({}));
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers },
    } as unknown as KubeObject;
    const [entry] = trackUpdate({ before: undefined, after: pod, owner: owner('first', '', 'v1') }, pods);
    expect(entry?.fieldsV1).toEqual({ 'f:spec': { 'f:containers': { 'k:{"name":""}': {} } } });
  }, 60_000);
});

it.each([
  ['9,000 new variables', 0],
  ['9,000 variables that change', 9000],
])('the owners of %s are found in slices (issue 6, row 1)', (_what, stored) => {
  const large = (count: number, value: string): JsonObject => ({
    ...deployment({
      template: {
        spec: {
          containers: [
            { name: 'a', image: 'b', env: Array.from({ length: count }, (_, i) => ({ name: `V${i}`, value })) },
          ],
        },
      },
    }),
  });
  const work = compareObjectsWork(large(stored, 'x'), large(9000, 'y'), deployments.schema, deployments.resolver);
  let yields = 0;
  let next = work.next();
  for (; next.done !== true; next = work.next()) yields++;
  expect(yields).toBeGreaterThan(50);
  expect([...next.value.changed.paths()].length).toBeGreaterThanOrEqual(9000);
});
