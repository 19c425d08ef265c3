/**
 * What is refused, field by field, in the words of kube-apiserver v1.36: each case changes one thing in a good object. The complaints in
 * the data are those that kube-apiserver gave to the same request.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Resource, UnknownObject } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import { startRegistry } from './testing.js';

type Path = readonly (string | number)[];
/** Index of the object, path, `set`, `del` or `rename` (of a key, from and to), the value, the complaints. */
type Case = readonly [number, Path, 'set' | 'del' | 'rename', unknown, readonly string[]];

const { objects, cases } = JSON.parse(readFileSync(new URL('./testdata/validation.json', import.meta.url), 'utf8')) as {
  readonly objects: readonly UnknownObject[]; readonly cases: readonly Case[];
};

type Node = Record<string | number, unknown>;

function changed(object: UnknownObject, [, path, operation, value]: Case): UnknownObject {
  const copy = structuredClone(object);
  const parents = operation === 'rename' ? path : path.slice(0, -1);
  const node = parents.reduce<Node>((at, key) => at[key] as Node, copy as Node);
  if (operation === 'rename') {
    const [from, to] = value as readonly [string, string];
    node[to] = node[from];
    delete node[from];
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

async function complaintsOf(object: UnknownObject): Promise<readonly string[]> {
  const kind = started.scheme.kinds().find((row) => row.kind === object.kind && object.apiVersion === (row.group === '' ? row.version : `${row.group}/${row.version}`));
  try {
    await started.service.create(
      { resource: kind as Resource, object, dryRun: true, ...(kind?.namespaced === true ? { namespace: 'n' } : {}) });
    return [];
  } catch (error) {
    if (!isApiError(error)) throw error;
    return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

describe('the objects that are changed', () => {
  it.each(objects.map((object) => [`${object.kind}`, object] as const))('%s is good', async (_kind, object) => expect(await complaintsOf(object)).toEqual([]));
});

describe('a change for the worse', () => {
  it.each(cases.map((row) => [`${objects[row[0]]?.kind} ${row[1].join('.')} ${row[2]} ${JSON.stringify(row[3])}`, row] as const))('%s', async (_title, row) => {
    const object = objects[row[0]];
    expect(object).toBeDefined();
    if (object !== undefined) expect(await complaintsOf(changed(object, row))).toEqual(row[4]);
  });
});
