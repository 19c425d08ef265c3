/**
 * What is refused, field by field, in the words of kube-apiserver v1.36: each case changes one thing in a good object.
 * The complaints in the data are those that kube-apiserver gave to the same request.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject, Resource, UnknownObject } from '../../../apimachinery/object.js';
import { complaintsOf, kindOf, startRegistry } from './testing.js';

type Path = readonly (string | number)[];
/** Index of the object, path, `set`, `del` or `rename` (of a key, from and to), the value, the complaints. */
type Case = readonly [number, Path, 'set' | 'del' | 'rename', unknown, readonly string[]];

interface Group {
  readonly objects: readonly UnknownObject[];
  readonly cases: readonly Case[];
  /** Changes of the stored object. */
  readonly updates?: readonly Case[];
}

const folder = new URL('./testdata/validation/', import.meta.url);
const groups = readdirSync(folder).map(
  (file) => [file.replace('.json', ''), JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Group] as const,
);

type Node = Record<string | number, unknown>;

function changed(object: UnknownObject, [, path, operation, value]: Case): UnknownObject {
  const copy = structuredClone(object);
  const parents = operation === 'rename' ? path : path.slice(0, -1);
  const node = parents.reduce<Node>((at, key) => at[key] as Node, copy as Node);
  if (operation === 'rename') {
    const [from, to] = value as readonly [string, string];
    node[to] = node[from];
    delete node[from];
  } else if (operation === 'del' && Array.isArray(node)) {
    node.splice(Number(path.at(-1)), 1);
  } else if (operation === 'del') {
    delete node[path.at(-1) ?? ''];
  } else {
    node[path.at(-1) ?? ''] = value;
  }
  return copy;
}

let started: Awaited<ReturnType<typeof startRegistry>>;

beforeAll(async () => {
  started = await startRegistry();
  return () => started[Symbol.asyncDispose]();
});

const placeOf = (kind: Kind): { readonly resource: Resource; readonly namespace?: string } => ({
  resource: kind,
  ...(kind.namespaced ? { namespace: 'n' } : {}),
});

const create = async (object: UnknownObject, dryRun: boolean): Promise<KubeObject> =>
  (await started.service.create({ ...placeOf(kindOf(started.scheme, object)), object, dryRun })).object;

const titled = (objects: readonly UnknownObject[], rows: readonly Case[]): (readonly [string, UnknownObject, Case])[] =>
  rows.map((row) => [
    `${objects[row[0]]?.kind} ${row[1].join('.')} ${row[2]} ${JSON.stringify(row[3])}`,
    objects[row[0]] ?? {},
    row,
  ]);

describe.each(groups)('%s', (_group, { objects, cases, updates = [] }) => {
  it.each(objects.map((object) => [`${object.kind}`, object] as const))('%s is good', async (_kind, object) => {
    expect(await complaintsOf(() => create(object, true))).toEqual([]);
  });

  it.each(titled(objects, cases))('refused when created: %s', async (_title, object, row) => {
    expect(await complaintsOf(() => create(changed(object, row), true))).toEqual(row[4]);
  });

  if (updates.length === 0) return;
  describe('stored', () => {
    const stored = new Map<number, KubeObject>();
    beforeAll(async () => {
      for (const index of new Set(updates.map(([at]) => at))) {
        const object = objects[index] ?? {};
        stored.set(
          index,
          await create({ ...object, metadata: { ...(object.metadata as object), name: nameOf(object, index) } }, false),
        );
      }
    });

    it.each(titled(objects, updates))('refused when changed: %s', async (_title, object, row) => {
      const now = changed((stored.get(row[0]) ?? {}) as UnknownObject, row);
      const name = nameOf(object, row[0]);
      expect(
        await complaintsOf(() =>
          started.service.update({ ...placeOf(kindOf(started.scheme, object)), name, object: now, dryRun: true }),
        ),
      ).toEqual(row[4]);
    });
  });
});

/** Two objects of a kind may have one name in the data. Some are named by what they are. */
const nameOf = (object: UnknownObject, index: number): string =>
  ['IPAddress', 'CustomResourceDefinition'].includes(String(object.kind))
    ? String((object.metadata as { name?: string }).name)
    : `u${index}`;
