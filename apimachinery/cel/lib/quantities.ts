/** Kubernetes' quantity library, on exact quantities. */
import { parseQuantity } from '../../quantity.js';
import type { Library } from '../check/declare.js';
import { OPAQUE, global, member } from '../check/declare.js';
import { order } from '../values/compare.js';
import { CelError, Opaque } from '../values/values.js';
import type { Value } from '../values/values.js';

const NANO = 1_000_000_000n;
const INT_MAX = (1n << 63n) - 1n;

class QuantityValue extends Opaque {
  readonly type = OPAQUE.Quantity;
  readonly nano: bigint;

  constructor(nano: bigint) {
    super();
    this.nano = nano;
  }

  equals(other: Opaque): boolean {
    return other instanceof QuantityValue && other.nano === this.nano;
  }
}

const FORM_ERROR = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function quantity(text: string): Value {
  const parsed = parseQuantity(text);
  return parsed === undefined ? new CelError(FORM_ERROR) : new QuantityValue(parsed.nano);
}

const isWhole = ({ nano }: QuantityValue): boolean =>
  nano % NANO === 0n && nano / NANO <= INT_MAX && nano / NANO >= -INT_MAX - 1n;

function asInteger(value: QuantityValue): Value {
  return isWhole(value) ? value.nano / NANO : new CelError('cannot convert value to integer');
}

const ofUnits = (units: bigint): bigint => units * NANO;

export const QUANTITIES: Library = {
  quantity: [global('string_to_quantity', '(string) Quantity', quantity)],
  isQuantity: [global('is_quantity_string', '(string) bool', (text: string) => parseQuantity(text) !== undefined)],
  sign: [global('quantity_sign', '(Quantity) int', ({ nano }: QuantityValue) => BigInt(order(nano, 0n)))],
  isGreaterThan: [
    member(
      'quantity_is_greater_than',
      '(Quantity, Quantity) bool',
      (a: QuantityValue, b: QuantityValue) => a.nano > b.nano,
    ),
  ],
  isLessThan: [
    member(
      'quantity_is_less_than',
      '(Quantity, Quantity) bool',
      (a: QuantityValue, b: QuantityValue) => a.nano < b.nano,
    ),
  ],
  compareTo: [
    member('quantity_compare_to', '(Quantity, Quantity) int', (a: QuantityValue, b: QuantityValue) =>
      BigInt(order(a.nano, b.nano)),
    ),
  ],
  asApproximateFloat: [
    member('quantity_get_float', '(Quantity) double', ({ nano }: QuantityValue) => Number(nano) / Number(NANO)),
  ],
  asInteger: [member('quantity_get_int', '(Quantity) int', asInteger)],
  isInteger: [member('quantity_is_integer', '(Quantity) bool', isWhole)],
  add: [
    member(
      'quantity_add',
      '(Quantity, Quantity) Quantity',
      (a: QuantityValue, b: QuantityValue) => new QuantityValue(a.nano + b.nano),
    ),
    member(
      'quantity_add_int',
      '(Quantity, int) Quantity',
      (a: QuantityValue, b: bigint) => new QuantityValue(a.nano + ofUnits(b)),
    ),
  ],
  sub: [
    member(
      'quantity_sub',
      '(Quantity, Quantity) Quantity',
      (a: QuantityValue, b: QuantityValue) => new QuantityValue(a.nano - b.nano),
    ),
    member(
      'quantity_sub_int',
      '(Quantity, int) Quantity',
      (a: QuantityValue, b: bigint) => new QuantityValue(a.nano - ofUnits(b)),
    ),
  ],
};
