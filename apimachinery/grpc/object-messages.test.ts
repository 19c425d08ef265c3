import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeJson, parseJson } from '../json-value.js';
import * as wire from '../../proto/gen/navarch/objects/v1/objects.js';
import { handleOfObject } from '../object-handle.js';
import * as messages from './object-messages.js';

const text = fc.string({ maxLength: 12 });
const name = fc.string({ minLength: 1, maxLength: 12 });
const resource = fc.record({ group: text, version: name, resource: name });
const json = fc
  .dictionary(name, fc.jsonValue({ maxDepth: 2 }))
  .map((object) => parseJson(encodeJson(object)) as object);
const optional = <T>(arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }, keys: (keyof T)[]) =>
  fc.record(arbitraries, { requiredKeys: keys as never });

const write = {
  dryRun: fc.constant(true),
  fieldManager: text,
  fieldValidation: fc.constantFrom('Ignore' as const, 'Warn' as const, 'Strict' as const),
};
const named = { resource, namespace: text, name, subresource: text };
const selection = {
  resource,
  namespace: text,
  labelSelector: text,
  fieldSelector: text,
  limit: fc.nat(),
  continue: text,
  resourceVersion: text,
  resourceVersionMatch: fc.constantFrom('Exact' as const, 'NotOlderThan' as const),
};
const deletion = fc.record(
  {
    gracePeriodSeconds: fc.integer(),
    propagationPolicy: fc.constantFrom('Orphan' as const, 'Background' as const, 'Foreground' as const),
    preconditions: fc.record({ uid: text, resourceVersion: text }, { requiredKeys: [] }),
    dryRun: fc.constant(true),
  },
  { requiredKeys: [] },
);

interface Codec<M> {
  encode(message: M): { finish(): Uint8Array };
  decode(bytes: Uint8Array): M;
}

/** What was sent is what arrives: absent fields stay absent, empty ones stay empty. */
function survives<R, M>(
  arbitrary: fc.Arbitrary<R>,
  to: (request: R) => M,
  codec: Codec<M>,
  from: (message: M) => R,
): void {
  fc.assert(
    fc.property(arbitrary, (request) => {
      expect(from(codec.decode(codec.encode(to(request)).finish()))).toEqual(request);
    }),
    { numRuns: 200 },
  );
}

describe('requests survive the wire', () => {
  it('get', () =>
    survives(
      optional({ ...named, resourceVersion: text }, ['resource', 'name']),
      messages.toGet,
      wire.GetRequest,
      messages.fromGet,
    ));
  it('list', () => survives(optional(selection, ['resource']), messages.toList, wire.ListRequest, messages.fromList));
  it('watch', () => {
    const { limit: _, continue: __, ...rest } = selection;
    const watch = {
      ...rest,
      resourceVersionMatch: fc.constant('NotOlderThan' as const),
      allowWatchBookmarks: fc.constant(true),
      sendInitialEvents: fc.boolean(),
      timeoutSeconds: fc.nat(),
    };
    survives(optional(watch, ['resource']), messages.toWatch, wire.WatchRequest, messages.fromWatch);
  });
  it('create', () =>
    survives(
      optional({ ...named, object: json, ...write }, ['resource', 'object']),
      messages.toCreate,
      wire.CreateRequest,
      messages.fromCreate,
    ));
  it('update', () =>
    survives(
      optional({ ...named, object: json, ...write }, ['resource', 'name', 'object']),
      messages.toUpdate,
      wire.UpdateRequest,
      messages.fromUpdate,
    ));
  it('patch', () =>
    survives(
      optional(
        {
          ...named,
          ...write,
          type: fc.constantFrom('json' as const, 'merge' as const, 'strategic' as const, 'apply' as const),
          patch: json as fc.Arbitrary<unknown>,
          force: fc.boolean(),
        },
        ['resource', 'name', 'type', 'patch'],
      ),
      messages.toPatch,
      wire.PatchRequest,
      messages.fromPatch,
    ));
  it('delete', () =>
    survives(
      optional({ ...named, options: deletion }, ['resource', 'name']),
      messages.toDelete,
      wire.DeleteRequest,
      messages.fromDelete,
    ));
  it('deleteCollection', () =>
    survives(
      optional({ ...selection, options: deletion }, ['resource']),
      messages.toDeleteCollection,
      wire.DeleteCollectionRequest,
      messages.fromDeleteCollection,
    ));
});

describe('events', () => {
  it('carry the bytes as they are', () => {
    const handle = handleOfObject({ metadata: { name: 'a', resourceVersion: '7' } });
    const event = messages.fromWatchEvent(messages.toWatchEvent({ type: 'MODIFIED', handle }));
    expect([event.type, event.handle.resourceVersion, event.handle.object]).toEqual([
      'MODIFIED',
      '7',
      { metadata: { name: 'a', resourceVersion: '7' } },
    ]);
    expect(Buffer.from(event.handle.json)).toEqual(Buffer.from(handle.json));
  });
});

describe('bad messages', () => {
  const badRequest = expect.objectContaining({ reason: 'BadRequest' }) as Error;
  const target = { resource: { group: '', version: 'v1', resource: 'pods' }, name: 'p' };
  it.each<[string, () => unknown]>([
    ['no target', () => messages.fromGet({ target: undefined })],
    ['no resource', () => messages.fromGet({ target: { resource: undefined, name: 'p' } })],
    [
      'an empty resource',
      () => messages.fromGet({ target: { resource: { group: '', version: 'v1', resource: '' }, name: 'p' } }),
    ],
    ['no selection', () => messages.fromList({ selection: undefined })],
    ['a body that is no JSON', () => messages.fromUpdate({ target, object: Buffer.from('{'), options: undefined })],
    ['a body that is no object', () => messages.fromUpdate({ target, object: Buffer.from('[]'), options: undefined })],
    [
      'an unknown patch type',
      () => messages.fromPatch({ target, type: 9 as never, patch: Buffer.from('{}'), options: undefined }),
    ],
    ['a number beyond 2^53', () => messages.fromWatch({ ...messages.toWatch(target), timeoutSeconds: 2n ** 60n })],
    [
      'a watch at an exact version',
      () =>
        messages.fromWatch({
          ...messages.toWatch(target),
          selection: messages.toList({ ...target, resourceVersionMatch: 'Exact' }).selection,
        }),
    ],
  ])('%s', (_, read) => expect(read).toThrow(badRequest));

  it('__proto__ in a body is a field like others', () => {
    const { object } = messages.fromUpdate({
      target,
      object: Buffer.from('{"metadata":{"labels":{"__proto__":"x"}}}'),
      options: undefined,
    });
    expect(Object.keys(object.metadata?.labels ?? {})).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  });
});
