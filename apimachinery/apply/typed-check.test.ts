import { describe, expect, it } from 'vitest';
import { present } from '../../platform/assert.js';
import { builtInScheme } from '../scheme/builtin.js';
import { resolverOf } from '../schema/resolve.js';
import { typeFlaws } from './typed-check.js';

const scheme = builtInScheme();
const flawsOf = (spec: unknown): string[] =>
  typeFlaws(
    { spec: { template: { spec } } },
    present(scheme.byKind({ group: 'apps', version: 'v1', kind: 'Deployment' }), 'Deployment').schema,
    resolverOf(scheme),
  );
const container = (fields: object): unknown => ({ containers: [{ name: 'c', ...fields }] });
const AT = '.spec.template.spec';

describe('an apply configuration that does not fit its type (structured-merge-diff)', () => {
  it.each<[string, unknown, string[]]>([
    [
      'all is well',
      container({
        ports: [{ containerPort: 53 }, { containerPort: 53, protocol: 'UDP' }],
        resources: { limits: { cpu: 1 } },
        image: null,
      }),
      [],
    ],
    ['an unknown field', { foo: 1 }, [`${AT}.foo: field not declared in schema`]],
    ['no map', container({ resources: 'x' }), [`${AT}.containers[name="c"].resources: expected map, got &{x}`]],
    ['no list', { containers: { a: 1 } }, [`${AT}.containers: expected list, got &{map[a:1]}`]],
    [
      'no string',
      container({ image: 1 }),
      [`${AT}.containers[name="c"].image: expected string, got &value.valueUnstructured{Value:1}`],
    ],
    ['no boolean', container({ tty: 'x' }), [`${AT}.containers[name="c"].tty: expected boolean, got &{x}`]],
    [
      'no number',
      { terminationGracePeriodSeconds: '1' },
      [`${AT}.terminationGracePeriodSeconds: expected numeric (int or float), got string`],
    ],
    [
      'items that share their keys',
      container({ env: [{ name: 'A' }, { name: 'A' }] }),
      [`${AT}.containers[name="c"].env: duplicate entries for key [name="A"]`],
    ],
    [
      'an item that is no object',
      { containers: ['x'] },
      [`${AT}.containers: element 0: associative list with keys may not have non-map elements`],
    ],
    [
      'an item that is null',
      { containers: [null] },
      [`${AT}.containers: element 0: associative list with keys may not have a null element`],
    ],
    ['an absent key is empty', { containers: [{ image: 'i' }] }, []],
  ])('%s', (_what, spec, expected) => expect(flawsOf(spec)).toEqual(expected));

  it('says at most a hundred things', () => {
    expect(flawsOf({ containers: Array.from({ length: 500 }, (_, i) => ({ name: `c${i}`, image: i })) })).toHaveLength(
      100,
    );
  });
});
