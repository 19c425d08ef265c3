/**
 * Custom resources, field by field: formats, limits, nullable, defaults, lists that are sets or maps, alternatives,
 * embedded objects, rules, and what an update lets be. The complaints in the data are those that kube-apiserver v1.36
 * gave to the same request (rows 16, 17 and 42).
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { kindsOfDefinition } from '../../../apimachinery/scheme/custom-kinds.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { complaintsOf, startRegistry } from './testing.js';

/** A field of spec (of status), its value, the complaints. */
type Row = readonly [string, unknown, readonly string[]];

interface Data {
  readonly schema: UnknownObject;
  readonly good: Readonly<Record<string, unknown>>;
  readonly creates: readonly Row[];
  readonly updates: readonly Row[];
  readonly status: readonly Row[];
}

const SKIPPED =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
const data = JSON.parse(
  readFileSync(new URL('./testdata/custom/values.json', import.meta.url), 'utf8').replaceAll('@skipped', SKIPPED),
) as Data;

const definition = (schema: unknown): KubeObject =>
  ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'vals.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'vals', kind: 'Val' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n', labelSelectorPath: '.status.s' },
          },
        },
      ],
    },
  }) as unknown as KubeObject;

const val = (spec: unknown, name = 'x'): UnknownObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Val',
  metadata: { name },
  spec,
});

let started: Awaited<ReturnType<typeof startRegistry>>;
let resource: Kind;
let stored: KubeObject;

beforeAll(async () => {
  started = await startRegistry();
  const [kind] = kindsOfDefinition(definition(data.schema));
  if (kind === undefined) throw new Error('the definition serves no version');
  started.scheme.add(kind);
  resource = kind;
  stored = (await started.service.create({ resource, namespace: 'n', object: val(data.good) })).object;
  return () => started[Symbol.asyncDispose]();
});

const titled = (rows: readonly Row[]): (readonly [string, Row])[] =>
  rows.map((row) => [`${row[0]}: ${JSON.stringify(row[1])}`, row]);
const update = (object: UnknownObject, more: Record<string, unknown> = {}) =>
  started.service.update({ resource, namespace: 'n', name: 'x', object: object as KubeObject, dryRun: true, ...more });

describe('a custom resource', () => {
  it.each(titled(data.creates))('created with %s', async (_title, [field, value, expected]) => {
    expect(
      await complaintsOf(() =>
        started.service.create({
          resource,
          namespace: 'n',
          object: val({ req: 'r', [field]: value }, 'y'),
          dryRun: true,
        }),
      ),
    ).toEqual(expected);
  });

  it.each(titled(data.updates))('updated with %s', async (_title, [field, value, expected]) => {
    const { [field]: _before, ...rest } = structuredClone(data.good);
    const spec = value === 'del' ? rest : { ...rest, [field]: value };
    expect(await complaintsOf(() => update({ ...structuredClone(stored), spec } as unknown as UnknownObject))).toEqual(
      expected,
    );
  });

  it.each(titled(data.status))('whose status is %s', async (_title, [field, value, expected]) => {
    const status = field === 'status' ? value : { [field]: value };
    expect(
      await complaintsOf(() =>
        update({ ...structuredClone(stored), status } as unknown as UnknownObject, { subresource: 'status' }),
      ),
    ).toEqual(expected);
  });
});

describe('what an object holds from before its definition asked for more', () => {
  const resources = (schema: unknown): Kind => {
    const [kind] = kindsOfDefinition(
      definition({ type: 'object', properties: { spec: { type: 'object', properties: schema } } }),
    );
    if (kind === undefined) throw new Error('the definition serves no version');
    return kind;
  };
  const loose = {
    a: { type: 'string' },
    l: { type: 'array', items: { type: 'object', properties: { k: { type: 'string' }, v: { type: 'integer' } } } },
  };
  const rules = { 'x-kubernetes-validations': [{ rule: 'self.startsWith("a")', message: 'must start with a' }] };
  const keyed = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] };
  const strict = (list: object) => ({
    a: { type: 'string', ...rules },
    b: { type: 'string' },
    l: {
      type: 'array',
      ...list,
      items: {
        type: 'object',
        required: ['k'],
        properties: { k: { type: 'string' }, v: { type: 'integer', maximum: 5 } },
      },
    },
  });

  /** Complaints and warnings about an update of an object that was stored under a schema without limits. */
  async function updated(
    list: object,
    spec: Record<string, unknown>,
  ): Promise<{ readonly complaints: readonly string[]; readonly warnings: readonly string[] }> {
    await using fresh = await startRegistry();
    fresh.scheme.add(resources(loose));
    const before = resources(loose);
    const { object } = await fresh.service.create({
      resource: before,
      namespace: 'n',
      object: val({
        a: 'x',
        l: [
          { k: 'p', v: 9 },
          { k: 'q', v: 1 },
        ],
      }),
    });
    fresh.scheme.remove(before);
    const now = resources(strict(list));
    fresh.scheme.add(now);
    const warnings: string[] = [];
    const report = { warn: (message: string) => void warnings.push(message), created: () => undefined };
    const next = {
      ...structuredClone(object),
      spec: { ...(object as unknown as { spec: object }).spec, ...spec },
    } as unknown as KubeObject;
    const complaints = await complaintsOf(() =>
      fresh.service.update({ resource: now, namespace: 'n', name: 'x', object: next, dryRun: true }, { report }),
    );
    return { complaints, warnings };
  }

  const BROKEN = 'spec.a: Invalid value: "x": must start with a';

  it('is let be while nothing of it changes, and rules warn of it', async () => {
    expect(await updated(keyed, { b: 'new' })).toEqual({ complaints: [], warnings: [BROKEN] });
  });

  it('is judged where it changes', async () => {
    expect(await updated(keyed, { a: 'y' })).toEqual({
      complaints: ['spec.a: Invalid value: "y": must start with a'],
      warnings: [],
    });
  });

  it('is let be item by item where keys tell them apart, and judged as a whole where nothing does', async () => {
    const l = [
      { k: 'p', v: 9 },
      { k: 'q', v: 2 },
    ];
    expect(await updated(keyed, { l })).toEqual({ complaints: [], warnings: [BROKEN] });
    expect((await updated({}, { l })).complaints).toEqual([
      'spec.l[0].v: Invalid value: 9: spec.l[0].v in body should be less than or equal to 5',
    ]);
  });
});

describe('metadata', () => {
  const merge = (patch: Record<string, unknown>, more: Record<string, unknown> = {}) =>
    complaintsOf(() =>
      started.service.patch({ resource, namespace: 'n', name: 'x', type: 'merge', patch, dryRun: true, ...more }),
    );

  it('is complained of as often as it is judged when it is updated', async () => {
    const causes = await merge({ metadata: { labels: { 'x y': 'z' } } });
    expect(causes.map((cause) => cause.split(':')[0])).toEqual([
      'metadata.labels',
      'metadata.labels',
      'metadata.labels',
    ]);
    const immutable = 'metadata.uid: Invalid value: "x": field is immutable';
    expect(await merge({ metadata: { uid: 'x' } })).toEqual([immutable, immutable]);
    expect(await merge({ metadata: { uid: 'x' } }, { subresource: 'status' })).toEqual([]);
  });

  it('that is no object is refused, whatever the kind', async () => {
    for (const one of [resource, started.scheme.kinds().find((row) => row.kind === 'ConfigMap') ?? resource]) {
      const body = {
        apiVersion: one.group === '' ? one.version : `${one.group}/${one.version}`,
        kind: one.kind,
        metadata: 5,
      };
      await expect(
        started.service.create({ resource: one, namespace: 'n', object: body as unknown as UnknownObject }),
      ).rejects.toMatchObject({ status: { code: 400 } });
    }
  });
});
