import { describe, expect, it } from 'vitest';
import { builtInScheme } from '../scheme/builtin.js';
import { resolverOf } from '../schema/resolve.js';
import { checkRules, ruleComplaint } from './cel.js';
import { compileJsonPath } from './json-path.js';
import { schemaOfProps } from './schema.js';

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

describe('CEL rules', () => {
  const resolver = resolverOf(builtInScheme());
  const check = (rule: string, props: Record<string, unknown>, object: unknown, old?: unknown) =>
    checkRules(schemaOfProps({ ...props, 'x-kubernetes-validations': [{ rule }] }), resolver, { object, old }).map((error) => error.detail);
  const list = { type: 'array', items: { type: 'integer' } };

  it('know integers from doubles, lists, maps and strings', () => {
    expect(check('self.a / 2 == 2', { type: 'object', properties: { a: { type: 'integer' } } }, { a: 5 })).toEqual([]);
    expect(check('self.a / 2.0 == 2.5', { type: 'object', properties: { a: { type: 'number' } } }, { a: 5 })).toEqual([]);
    expect(check('self.all(x, x > 0) && self.isSorted() && self.sum() == 6 && self.max() == 3', list, [1, 2, 3])).toEqual([]);
    expect(check('self.exists(k, self[k] == "v")', { type: 'object', additionalProperties: { type: 'string' } }, { k: 'v' })).toEqual([]);
    expect(check('self.matches("^a+$") && self.find("a") == "a" && size(self.findAll("a")) == 2', { type: 'string' }, 'aa')).toEqual([]);
  });

  it('refuse what cannot be evaluated, and skip oldSelf on create', () => {
    expect(check('self.none == 1', { type: 'object' }, {})).toEqual([expect.stringContaining('rule evaluation error')]);
    expect(check('self == oldSelf', { type: 'string' }, 'a')).toEqual([]);
    expect(check('self == oldSelf', { type: 'string' }, 'a', 'b')).toEqual(['Invalid value: "a": failed rule: self == oldSelf']);
    expect(ruleComplaint('self.a ==')).toContain('compilation failed');
  });
});
