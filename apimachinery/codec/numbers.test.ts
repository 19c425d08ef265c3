/** Numbers are not doubles: every digit of an int64 is kept, as sigs.k8s.io/json and Kubernetes' protobuf keep it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { int64Of, INT64_MAX, INT64_MIN } from '../int64.js';
import { canonicalQuantity } from '../quantity.js';
import { cloneJson, jsonEqual } from '../value.js';
import { decodeJson } from './json.js';
import { encodeJson, parseJson } from '../json-value.js';
import { decodeProtobuf, encodeProtobuf } from './protobuf/index.js';
import { decodeYaml } from './yaml.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const int64 = fc.bigInt({ min: INT64_MIN, max: INT64_MAX }).map((value) => int64Of(value) ?? 0);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('9007199254740993', ': 9007199254740993', ',-1e999', '"', '\\', '\\"', '__proto__'),
);
const tree = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    int64,
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n)),
    text,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(text, tie('value'), { maxKeys: 4 }),
  ),
})).value;

describe('an int64', () => {
  it('is kept through JSON, anywhere in a tree and however it is spaced', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const printed = encodeJson(value);
        expect(parseJson(printed)).toEqual(value);
        expect(decodeJson(bytes(printed))).toEqual(value);
        expect(encodeJson(parseJson(printed))).toBe(printed);
        expect(jsonEqual(cloneJson(value), value)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(int64, (value) => {
        expect(parseJson(`  { "a" :\n [ ${value}\t, {"b":${value} } ] } `)).toEqual({ a: [value, { b: value }] });
        expect(parseJson(String(value))).toBe(value);
      }),
    );
  });

  it('prints as JSON.stringify prints, where that can', () => {
    const odd = { a: undefined, b: [undefined, Number.NaN], c: new Date(0), '"': '\u2028\ud800' };
    expect(encodeJson({ ...odd, big: 2n ** 60n })).toBe(
      `${JSON.stringify(odd).slice(0, -1)},"big":1152921504606846976}`,
    );
  });

  it('is kept through YAML', () => {
    fc.assert(
      fc.property(int64, (value) => {
        expect(decodeYaml(bytes(`a: ${value}\nb: [${value}, "${value}"]\n`))).toEqual({
          a: value,
          b: [value, String(value)],
        });
      }),
    );
    expect(decodeYaml(bytes('a: 0x7fffffffffffffff\nb: 9_007_199_254_740_993\n'))).toEqual({
      a: INT64_MAX,
      b: 9007199254740993n,
    });
  });

  it('is kept through protobuf, in fields and in raw JSON', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const object = {
          kind: 'ControllerRevision',
          apiVersion: 'apps/v1',
          data: { spec: { ns: value } },
          revision: value,
        };
        expect(decodeProtobuf(encodeProtobuf(object) ?? new Uint8Array())).toEqual(object);
      }),
    );
  });

  it('is kept as a quantity', () => {
    expect(canonicalQuantity(9007199254740993n)).toBe('9007199254740993');
    expect(canonicalQuantity(INT64_MAX)).toBe('9223372036854775807');
  });

  it('equals the double of the same value and no other', () => {
    expect(jsonEqual({ a: 2n ** 53n }, { a: 2 ** 53 })).toBe(true);
    expect(jsonEqual([2n ** 53n + 1n], [2 ** 53])).toBe(false);
    expect(jsonEqual(2n ** 60n, String(2n ** 60n))).toBe(false);
  });
});

describe('numbers that are no int64', () => {
  it.each(['1e400', '-1e309', `1${'0'.repeat(400)}`, '1e0309', '123456789.5E+301'])(
    '%s: no double holds it',
    (literal) => {
      for (const body of [literal, `{"a":[${literal}]}`, `{"s":"\\"", "a" : ${literal} }`]) {
        expect(() => decodeJson(bytes(body))).toThrow(
          `json: cannot unmarshal number ${literal.slice(0, 64)} into Go value of type float64`,
        );
      }
    },
  );

  it('are doubles: larger integers, fractions, exponents', () => {
    expect(
      decodeJson(
        bytes('[9223372036854775808,-9223372036854775809,9007199254740993.0,1e3,0.12345678901234567890,1e-400]'),
      ),
    ).toEqual([2 ** 63, -(2 ** 63), 2 ** 53, 1000, 0.12345678901234568, 0]);
    expect(decodeYaml(bytes('[9223372036854775808, 1e3]'))).toEqual([2 ** 63, 1000]);
  });

  it('in text are text', () => {
    const value = { '12345678901234567890': '1e999', b: ['a: 12345678901234567', ',1e999', '[1e400'] };
    expect(decodeJson(bytes(JSON.stringify(value)))).toEqual(value);
  });
});
