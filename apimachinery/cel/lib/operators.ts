/**
 * Operators. Those that do not evaluate all their arguments are carried out by the interpreter; here they have only
 * types.
 */
import type { Library } from '../check/declare.js';
import { global } from '../check/declare.js';
import { compare, equals } from '../values/compare.js';
import { checkedDuration, checkedTime } from '../values/text.js';
import { ArrayList, CelError, GrowingList, Uint, isError, noSuchKey, noSuchOverload } from '../values/values.js';
import type { CelList, CelMap, Duration, Timestamp, Value } from '../values/values.js';
import { keyText } from '../values/key-text.js';

const INT_MAX = (1n << 63n) - 1n;
const UINT_MAX = (1n << 64n) - 1n;
const int = (value: bigint): Value =>
  value > INT_MAX || value < -INT_MAX - 1n ? new CelError('integer overflow') : value;
const uint = (value: bigint): Value =>
  value > UINT_MAX || value < 0n ? new CelError('unsigned integer overflow') : new Uint(value);
/** Never called: see run/control.ts. */
const controlled = (): Value => noSuchOverload();

type Arithmetic = readonly [
  name: string,
  int: (a: bigint, b: bigint) => Value,
  uint: (a: bigint, b: bigint) => Value,
  double: ((a: number, b: number) => Value) | undefined,
];

const divide =
  (wrap: (value: bigint) => Value) =>
  (a: bigint, b: bigint): Value =>
    b === 0n ? new CelError('division by zero') : wrap(a / b);
const modulo =
  (wrap: (value: bigint) => Value) =>
  (a: bigint, b: bigint): Value =>
    b === 0n ? new CelError('modulus by zero') : wrap(a % b);
const ARITHMETIC: readonly Arithmetic[] = [
  ['add', (a, b) => int(a + b), (a, b) => uint(a + b), (a, b) => a + b],
  ['subtract', (a, b) => int(a - b), (a, b) => uint(a - b), (a, b) => a - b],
  ['multiply', (a, b) => int(a * b), (a, b) => uint(a * b), (a, b) => a * b],
  ['divide', divide(int), divide(uint), (a, b) => a / b],
  ['modulo', modulo(int), modulo(uint), undefined],
];
const SIGNS: Readonly<Record<string, string>> = {
  add: '_+_',
  subtract: '_-_',
  multiply: '_*_',
  divide: '_/_',
  modulo: '_%_',
};

const arithmetic = Object.fromEntries(
  ARITHMETIC.map(([name, ints, uints, doubles]) => [
    SIGNS[name] ?? name,
    [
      global(`${name}_int64`, '(int, int) int', ints),
      global(`${name}_uint64`, '(uint, uint) uint', (a: Uint, b: Uint) => uints(a.value, b.value)),
      ...(doubles === undefined ? [] : [global(`${name}_double`, '(double, double) double', doubles)]),
    ],
  ]),
);

const ADD = [
  ...(arithmetic['_+_'] ?? []),
  global('add_string', '(string, string) string', (a: string, b: string) => a + b),
  global('add_bytes', '(bytes, bytes) bytes', (a: Uint8Array, b: Uint8Array) => Buffer.concat([a, b])),
  global('add_list', '(list(A), list(A)) list(A)', addLists),
  global('add_duration_duration', '(duration, duration) duration', (a: Duration, b: Duration) =>
    checkedDuration(a.ns + b.ns),
  ),
  global('add_duration_timestamp', '(duration, timestamp) timestamp', (a: Duration, b: Timestamp) =>
    checkedTime(a.ns + b.ns),
  ),
  global('add_timestamp_duration', '(timestamp, duration) timestamp', (a: Timestamp, b: Duration) =>
    checkedTime(a.ns + b.ns),
  ),
];
const SUBTRACT = [
  ...(arithmetic['_-_'] ?? []),
  global('subtract_duration_duration', '(duration, duration) duration', (a: Duration, b: Duration) =>
    checkedDuration(a.ns - b.ns),
  ),
  global('subtract_timestamp_duration', '(timestamp, duration) timestamp', (a: Timestamp, b: Duration) =>
    checkedTime(a.ns - b.ns),
  ),
  global('subtract_timestamp_timestamp', '(timestamp, timestamp) duration', (a: Timestamp, b: Timestamp) =>
    checkedDuration(a.ns - b.ns),
  ),
];

/** The accumulator of a comprehension grows in place; other lists are left as they are. */
function addLists(a: CelList, b: CelList): Value {
  if (a instanceof GrowingList) {
    for (const item of b) a.items.push(item);
    return a;
  }
  return a.plus(b) ?? new ArrayList([...a, ...b]);
}

const ORDERED = ['bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration'];
const NUMBERS = ['int', 'uint', 'double'];

function comparison(name: string, test: (order: number) => boolean) {
  const impl = (a: Value, b: Value): Value => {
    const order = compare(a, b);
    return order instanceof CelError ? order : test(order);
  };
  const pairs = [
    ...ORDERED.map((type) => [type, type] as const),
    ...NUMBERS.flatMap((a) => NUMBERS.filter((b) => b !== a).map((b) => [a, b] as const)),
  ];
  return pairs.map(([a, b]) => global(a === b ? `${name}_${a}` : `${name}_${a}_${b}`, `(${a}, ${b}) bool`, impl));
}

export function indexList(list: CelList, index: Value): Value {
  const at =
    typeof index === 'bigint'
      ? Number(index)
      : index instanceof Uint
        ? Number(index.value)
        : Number.isInteger(index)
          ? Number(index)
          : undefined;
  if (at === undefined) return noSuchOverload();
  return at < 0 || at >= list.size ? new CelError(`index out of bounds: ${at}`) : list.at(at);
}

export function indexMap(map: CelMap, key: Value): Value {
  const found = map.find(key);
  return found === undefined ? noSuchKey(keyText(key)) : found;
}

function inList(wanted: Value, list: CelList): Value {
  for (const item of list) {
    if (isError(item)) return item;
    if (equals(item, wanted)) return true;
  }
  return false;
}

export const OPERATORS: Library = {
  ...arithmetic,
  '_+_': ADD,
  '_-_': SUBTRACT,
  '-_': [
    global('negate_int64', '(int) int', (a: bigint) => int(-a)),
    global('negate_double', '(double) double', (a: number) => -a),
  ],
  '!_': [global('logical_not', '(bool) bool', (a: boolean) => !a)],
  '_<_': comparison('less', (order) => order < 0),
  '_<=_': comparison('less_equals', (order) => order <= 0),
  '_>_': comparison('greater', (order) => order > 0),
  '_>=_': comparison('greater_equals', (order) => order >= 0),
  '_==_': [global('equals', '(A, A) bool', equals)],
  '_!=_': [global('not_equals', '(A, A) bool', (a: Value, b: Value) => !equals(a, b))],
  '@in': [
    global('in_list', '(A, list(A)) bool', inList),
    global('in_map', '(A, map(A, B)) bool', (key: Value, map: CelMap) => map.find(key) !== undefined),
  ],
  '_[_]': [
    global('index_list', '(list(A), int) A', indexList),
    global('index_map', '(map(A, B), A) B', indexMap),
    global('optional_list_index_int', '(optional(list(V)), int) optional(V)', controlled),
    global('optional_map_index_value', '(optional(map(K, V)), K) optional(V)', controlled),
  ],
  '_&&_': [global('logical_and', '(bool, bool) bool', controlled)],
  '_||_': [global('logical_or', '(bool, bool) bool', controlled)],
  '_?_:_': [global('conditional', '(bool, A, A) A', controlled)],
  '@not_strictly_false': [global('not_strictly_false', '(bool) bool', controlled)],
};
