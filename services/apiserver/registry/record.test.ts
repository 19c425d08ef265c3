/** Records of resources add up, and what only one can have is given once (issue 7, seam 3). */
import { describe, expect, it } from 'vitest';
import { InvariantError } from '../../../platform/assert.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { WriteChange, WriteHook } from '../ports.js';
import { ResourceRecords, type ResourceRecord } from './record.js';

const PODS = { group: '', resource: 'pods' };
const handler = {};
const mutation = { apply: () => undefined };
const deletion = { held: () => false };
const change: WriteChange = {
  operation: 'CREATE',
  draft: {},
  old: undefined,
  user: { name: 'u', groups: [] },
  dryRun: false,
  attempt: 0,
};

/** Appends its name to the object's, and claims a key of that name. */
const naming = (name: string): WriteHook => ({
  before({ draft }) {
    const metadata = ((draft as KubeObject).metadata ??= {});
    metadata.name = `${metadata.name ?? ''}${name}`;
    return Promise.resolve({
      compare: [{ target: 'version', key: Buffer.from(metadata.name), op: '=', value: 0 }],
      ops: [{ kind: 'put', key: Buffer.from(name), value: Buffer.alloc(0) }],
    });
  },
});

describe('records', () => {
  it.each<[string, ResourceRecord, ResourceRecord]>([
    ['handler', { resource: PODS, handler }, { resource: PODS, handler }],
    [
      'handler of a subresource',
      { resource: PODS, subresources: { x: { handler } } },
      { resource: PODS, subresources: { x: { mutation } } },
    ],
    [
      'mutation',
      { resource: PODS, subresources: { x: { mutation } } },
      { resource: PODS, subresources: { x: { mutation } } },
    ],
    ['deletion rule', { resource: PODS, deletion }, { resource: PODS, deletion }],
  ])('a second %s of one resource is a mistake of ours', (_what, first, second) => {
    const records = new ResourceRecords();
    records.add(first);
    expect(() => records.add(second)).toThrow(InvariantError);
    const other = { group: 'x', resource: 'pods' };
    expect(() => records.add({ ...second, resource: other })).not.toThrow();
  });

  it('a subresource has a handler or a mutation, not both', () =>
    expect(() => new ResourceRecords().add({ resource: PODS, subresources: { x: { handler, mutation } } })).toThrow(
      InvariantError,
    ));

  it('hooks add up, in the order in which they came, in one transaction', async () => {
    const records = new ResourceRecords();
    expect(await records.guard(PODS, change)).toEqual({ compare: [], ops: [] });
    records.add({ resource: PODS, hooks: [naming('a')] });
    records.add({ resource: PODS, deletion });
    records.add({ resource: PODS, hooks: [naming('b'), naming('c')] });
    const { compare, ops } = await records.guard(PODS, { ...change, draft: {} });
    expect(compare.map(({ key }) => key.toString())).toEqual(['a', 'ab', 'abc']);
    expect(ops.map((op) => ('key' in op ? op.key.toString() : ''))).toEqual(['a', 'b', 'c']);
  });

  it('are found by resource and subresource', () => {
    const records = new ResourceRecords();
    records.add({ resource: PODS, subresources: { x: { mutation }, y: { handler } }, deletion });
    expect([
      records.handler(PODS),
      records.handler(PODS, 'y'),
      records.mutation(PODS, 'x'),
      records.deletion(PODS),
    ]).toEqual([undefined, handler, mutation, deletion]);
  });
});
