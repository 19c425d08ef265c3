/** The model as it takes over what members of real processes tell: it must not believe what cannot be. */
import { describe, expect, it } from 'vitest';
import type { Revision, StoreEvent } from '../../../services/store/store.js';
import { Model } from './model.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');
const revision = (value: number) => value as Revision;
const put = (key: string, value: string, [create, mod, version]: [number, number, number]): StoreEvent => ({
  kind: 'put',
  kv: {
    key: bytes(key),
    value: bytes(value),
    createRevision: revision(create),
    modRevision: revision(mod),
    version,
    lease: 0n,
  },
});
const remove = (key: string, mod: number): StoreEvent => ({
  kind: 'delete',
  key: bytes(key),
  modRevision: revision(mod),
});

describe('a history that is told', () => {
  it('is taken over, and answers what the store must answer', () => {
    const model = new Model();
    expect(model.record(2, [put('a', '1', [2, 2, 1]), put('b', '1', [2, 2, 1])])).toBeUndefined();
    expect(model.record(3, [put('a', '2', [2, 3, 2])])).toBeUndefined();
    expect(model.record(4, [remove('a', 4)])).toBeUndefined();
    expect(model.record(5, [put('a', '3', [5, 5, 1])])).toBeUndefined();
    expect(model.rangeAt({ key: bytes('a') }, 3)).toBe('1:a=2@2,3,2,0');
    expect(model.rangeAt({ key: bytes('a'), rangeEnd: bytes('c') }, 4)).toBe('1:b=1@2,2,1,0');
    expect(model.eventsAt(4)).toMatchObject([{ key: 'a', kv: undefined, prev: { value: '2' } }]);
  });

  it.each<[string, number, StoreEvent[]]>([
    ['a revision left out', 3, [put('a', '1', [3, 3, 1])]],
    ['a revision told again', 1, [put('a', '1', [1, 1, 1])]],
    ['a key changed twice at once', 2, [put('a', '1', [2, 2, 1]), put('a', '2', [2, 2, 2])]],
    ['a deletion of nothing', 2, [remove('a', 2)]],
    ['a second version without a first', 2, [put('a', '1', [2, 2, 2])]],
    ['a creation before it was written', 2, [put('a', '1', [1, 2, 1])]],
  ])('is not believed: %s', (_, at, events) => expect(new Model().record(at, events)).toBeDefined());
});
