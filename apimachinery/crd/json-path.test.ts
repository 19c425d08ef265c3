import { describe, expect, it } from 'vitest';
import { compileJsonPath, firstOf } from './json-path.js';

describe('JSON paths of CRDs', () => {
  const object = {
    spec: {
      a: 1,
      'x.y/z': 2,
      list: [
        { type: 'Ready', status: 'True' },
        { type: 'Other', status: 'False' },
      ],
    },
  };
  it.each<[string, unknown[]]>([
    ['.spec.a', [1]],
    ['{.spec.a}', [1]],
    ['$.spec.a', [1]],
    ['.spec.none', []],
    ['.spec.list[0].type', ['Ready']],
    ['.spec.list[*].type', ['Ready', 'Other']],
    ['.spec.list[?(@.type=="Ready")].status', ['True']],
    [".spec.list[?(@.type!='Ready')].status", ['False']],
    [".spec['x.y/z']", [2]],
    ['.spec.x\\.y/z', [2]],
    ['.spec.constructor', []],
    ['.spec.list[9].type', []],
  ])('%s', (path, found) => {
    expect([...(compileJsonPath(path)?.(object) ?? [])]).toEqual(found);
  });
  it('looks no further than is asked: a table shows the first of millions (row 1)', () => {
    let read = 0;
    const counted = new Proxy([1, 2, 3], {
      get: (list, key) => (
        (read += typeof key === 'string' && /^\d+$/.test(key) ? 1 : 0),
        Reflect.get(list, key) as unknown
      ),
    });
    const find = compileJsonPath('.a[*][*][*]');
    expect(firstOf(find?.({ a: [[counted, counted], [counted]] }) ?? [])).toBe(1);
    expect(read).toBe(1);
    expect([...(find?.({ a: [[counted, counted], [counted]] }) ?? [])]).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
  });
  it('of nothing the first is nothing', () => {
    expect(firstOf(compileJsonPath('.a[*]')?.({}) ?? [])).toBeUndefined();
  });
  it.each(['', '.a[', '.a[?(@.b > 1)]', '..a'])('%j is none', (path) => {
    expect(compileJsonPath(path)).toBeUndefined();
  });
});
