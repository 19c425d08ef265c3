import { describe, expect, it } from 'vitest';
import { compileJsonPath } from './json-path.js';

describe('JSON paths of CRDs', () => {
  const object = { spec: { a: 1, 'x.y/z': 2, list: [{ type: 'Ready', status: 'True' }, { type: 'Other', status: 'False' }] } };
  it.each<[string, unknown[]]>([
    ['.spec.a', [1]], ['{.spec.a}', [1]], ['$.spec.a', [1]], ['.spec.none', []], ['.spec.list[0].type', ['Ready']], ['.spec.list[*].type', ['Ready', 'Other']],
    ['.spec.list[?(@.type=="Ready")].status', ['True']], ['.spec.list[?(@.type!=\'Ready\')].status', ['False']], ['.spec[\'x.y/z\']', [2]],
    ['.spec.x\\.y/z', [2]], ['.spec.constructor', []], ['.spec.list[9].type', []],
  ])('%s', (path, found) => {
    expect(compileJsonPath(path)?.(object)).toEqual(found);
  });
  it.each(['', '.a[', '.a[?(@.b > 1)]', '..a'])('%j is none', (path) => {
    expect(compileJsonPath(path)).toBeUndefined();
  });
});
