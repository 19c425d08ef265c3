import { describe, expect, it } from 'vitest';
import { validateSchemaProps } from './validate.js';

const COST_HINT =
  '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)';
const said = (spec: Record<string, unknown>): string[] =>
  validateSchemaProps({ type: 'object', properties: { spec } }, 's').map(
    ({ field, detail }) => `${field.replace('s.properties[spec]', '')}: ${detail}`,
  );
const rules = (...given: Record<string, unknown>[]) => ({ 'x-kubernetes-validations': given });
const text = { type: 'string' };

describe('definitions are refused when they are written, in the words of kube-apiserver (row 16)', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    [
      'default of another type',
      { type: 'object', properties: { a: { type: 'string', default: 5 } } },
      ['.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"'],
    ],
    [
      'default outside its enum',
      { type: 'object', properties: { a: { type: 'string', enum: ['a'], default: 'b' } } },
      ['.properties[a].default: Unsupported value: "b": supported values: "a"'],
    ],
    [
      'default without a required property',
      { type: 'object', required: ['x'], default: {}, properties: { x: text } },
      ['.default.x: Required value'],
    ],
    [
      'default with an unknown field',
      { type: 'object', default: { u: 1 }, properties: { x: text } },
      ['.default: Invalid value: {"u":1}: must not have unknown fields'],
    ],
    [
      'default that breaks a rule',
      {
        type: 'object',
        default: { x: 'a' },
        properties: { x: { ...text, maxLength: 1, ...rules({ rule: 'self == "z"' }) } },
      },
      ['.default.x: Invalid value: "a": failed rule: self == "z"'],
    ],
    [
      'default below its minimum',
      { type: 'object', properties: { m: { type: 'integer', minimum: 5, default: 3 } } },
      ['.properties[m].default: Invalid value: 3:  in body should be greater than or equal to 5'],
    ],
    [
      'no items, no type',
      { type: 'object', properties: { a: { type: 'array' }, c: {} } },
      [
        '.properties[a].items: Required value: must be specified',
        '.properties[c].type: Required value: must not be empty for specified object fields',
      ],
    ],
    [
      'unknown type',
      { type: 'object', properties: { b: { type: 'foo' } } },
      [
        '.properties[b].type: Unsupported value: "foo": supported values: "array", "boolean", "integer", "number", "object", "string"',
      ],
    ],
    [
      'map list without keys',
      { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object', properties: { k: text } } },
      ['.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map'],
    ],
    [
      'map list with a key that may be absent',
      {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: text } },
      },
      [
        '.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      ],
    ],
    [
      'set of objects that merge',
      { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object', properties: { k: text } } },
      [
        '.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set',
      ],
    ],
    [
      'type in a branch of logic',
      { type: 'string', anyOf: [{ type: 'string' }] },
      ['.anyOf[0].type: Forbidden: must be empty to be structural'],
    ],
    [
      'rule in a branch',
      { type: 'string', allOf: [rules({ rule: 'true' })] },
      ['.allOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural'],
    ],
    [
      'embedded resource that keeps nothing',
      { type: 'object', 'x-kubernetes-embedded-resource': true },
      [
        '.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ],
    ],
    [
      'uniqueItems',
      { type: 'array', items: text, uniqueItems: true },
      ['.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic'],
    ],
    [
      'properties and additionalProperties',
      { type: 'object', properties: { a: text }, additionalProperties: text },
      ['.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive'],
    ],
    [
      'preserve-unknown-fields: false',
      { type: 'string', 'x-kubernetes-preserve-unknown-fields': false },
      ['.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined'],
    ],
    [
      'texts of rules',
      {
        type: 'array',
        items: text,
        ...rules(
          { rule: '' },
          { rule: 'self.size() > 0', message: ' ' },
          { rule: 'self.size() > 1', reason: 'Foo' },
          { rule: 'self.size() > 1', fieldPath: '.a' },
        ),
      },
      [
        '.x-kubernetes-validations[0].rule: Required value: rule is not specified',
        '.x-kubernetes-validations[1].message: Invalid value: " ": must be non-empty if specified',
        '.x-kubernetes-validations[2].reason: Unsupported value: "Foo": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
        '.x-kubernetes-validations[3].fieldPath: Invalid value: ".a": must be a valid path',
      ],
    ],
    [
      'oldSelf of items that nobody can tell apart',
      { type: 'array', maxItems: 5, items: { ...text, maxLength: 5, ...rules({ rule: 'self == oldSelf' }) } },
      [
        '.items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[spec]',
      ],
    ],
    [
      'optionalOldSelf without oldSelf',
      {
        type: 'array',
        maxItems: 5,
        items: { ...text, maxLength: 5 },
        ...rules({ rule: 'self.size() > 1', optionalOldSelf: true }),
      },
      [
        '.x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule',
      ],
    ],
    [
      'rule that is no bool',
      { ...text, ...rules({ rule: 'self' }) },
      [expect.stringContaining('cel expression must evaluate to a bool')],
    ],
    [
      'message that is no string',
      { ...text, ...rules({ rule: 'true', messageExpression: '1' }) },
      [
        expect.stringMatching(
          /^\.x-kubernetes-validations\[0\]\.messageExpression: .*messageExpression must evaluate to a string$/,
        ),
      ],
    ],
    [
      'conversion that can only fail',
      { ...text, ...rules({ rule: 'int("x") == 1' }) },
      [expect.stringContaining("program instantiation failed: type conversion error from 'string' to 'int'")],
    ],
  ])('%s', (_what, spec, expected) => {
    expect(said(spec)).toEqual(expected);
  });

  it('a field that the schema does not have', () => {
    expect(
      said({ type: 'object', properties: { a: { type: 'integer' } }, ...rules({ rule: 'self.nosuch > 1' }) }),
    ).toEqual([
      '.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self.nosuch \\u003e 1","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: ' +
        "compilation failed: ERROR: <input>:1:5: undefined field 'nosuch'\n | self.nosuch > 1\n | ....^",
    ]);
  });

  it('a property that only a branch at the root speaks of; branches below it are not asked', () => {
    const branch = { allOf: [{ properties: { x: { minimum: 1 } } }] };
    expect(
      validateSchemaProps({ type: 'object', ...branch }, 's').map(({ field, detail }) => `${field}: ${detail}`),
    ).toEqual(['s.properties[x]: Required value: because it is defined in s.allOf[0].properties[x]']);
    expect(said({ type: 'object', ...branch })).toEqual([]);
  });

  it('metadata that says more than names, and defaults in it', () => {
    const root = (metadata: Record<string, unknown>) =>
      validateSchemaProps({ type: 'object', properties: { metadata } }, 's').map(
        ({ field, detail }) => `${field}: ${detail}`,
      );
    expect(root({ type: 'object', properties: { name: { type: 'string', maxLength: 5 } } })).toEqual([]);
    expect(root({ type: 'object', properties: { labels: { type: 'object', additionalProperties: text } } })).toEqual([
      's.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
    ]);
    expect(root({ type: 'object', properties: { name: { type: 'string', default: 'a' } } })).toEqual([
      's.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata',
    ]);
  });

  it('more mistakes than a call may have arguments are a refusal too, not a fault', () => {
    const many = Array.from({ length: 40_000 }, () => ({
      description: 'x',
      title: 'x',
      type: 'x',
      default: 1,
      nullable: true,
    }));
    expect(said({ type: 'object', allOf: many })).toHaveLength(100);
  });

  it('a schema nested without end is refused, not a full stack', () => {
    let spec: Record<string, unknown> = text;
    for (let depth = 0; depth < 20_000; depth++) spec = { type: 'object', properties: { a: spec } };
    expect(said(spec)).toEqual(['s: Forbidden: must not be nested more than 100 schemas deep']);
  });
});

describe('rules that may cost too much are refused when they are written (row 6)', () => {
  const open = { type: 'array', items: { type: 'integer' } };
  const nested = rules({ rule: 'self.all(a, self.all(b, self.all(c, a + b > c)))' });
  it('over a list without maxItems', () => {
    expect(said({ ...open, ...nested })).toEqual([
      `.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x ${COST_HINT}`,
      '.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema',
      `s: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x ${COST_HINT}`,
    ]);
    expect(said({ ...open, maxItems: 20, ...nested })).toEqual([]);
  });
  it('below a list without maxItems', () => {
    const matches = { ...text, ...rules({ rule: 'self.matches("^[a-z]+$")' }) };
    expect(said({ type: 'array', items: matches })[0]).toContain('more than 100x');
    expect(said({ type: 'array', maxItems: 100, items: { ...matches, maxLength: 100 } })).toEqual([]);
  });
  it.each([
    [1_000_000, '5.2x'],
    [200_000, '1.040000x'],
    [100_000, undefined],
  ])('one that costs 52 for each of %i items', (maxItems, factor) => {
    const items = { type: 'array', maxItems: 10, items: { type: 'integer' }, ...rules({ rule: 'self.all(x, x > 1)' }) };
    expect(said({ type: 'array', maxItems, items })).toEqual(
      factor === undefined
        ? []
        : [
            `.items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of ${factor} ${COST_HINT}`,
          ],
    );
  });
  it('many that fit alone, but not together', () => {
    const one = {
      type: 'array',
      maxItems: 120_000,
      items: { type: 'array', maxItems: 10, items: { type: 'integer' }, ...rules({ rule: 'self.all(x, x > 1)' }) },
    };
    const errors = said({
      type: 'object',
      properties: Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`p${index}`, one])),
    });
    expect(errors).toHaveLength(5);
    expect(errors.at(-1)).toMatch(
      /^s: Forbidden: x-kubernetes-validations estimated rule cost total .* factor of 1\.248000x/,
    );
  });
});
