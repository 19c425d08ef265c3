/**
 * Limits of numbers, as kube-openapi judges them: an integer is compared as one, and a limit that no integer can be is
 * a complaint of its own.
 */
import { decimalText, isInt64 } from '../int64.js';
import type { Int64 } from '../int64.js';
import type { Schema } from '../schema.js';
import { NAME, goDouble } from './value-complaints.js';
import type { Complainer } from './value-complaints.js';
import type { Finding } from './value-result.js';

const INT32_MAX = 2 ** 31 - 1;
const FLOAT_MAX = 3.4028234663852886e38;

/** The format counts only where it is one of the type's, and the type is one alone. */
function formatOf({ type, format, intOrString }: Schema): string {
  if (intOrString === true) return '';
  if (type === 'integer' && (format === 'int32' || format === 'int64')) return format;
  return type === 'number' && (format === 'float' || format === 'double') ? format : '';
}

/** Also of a double whose last digits are not known. */
const isWhole = (value: Int64): boolean =>
  typeof value === 'bigint' || (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63);

function outOfRange(value: Int64, schema: Schema, what: string): string | undefined {
  const format = formatOf(schema);
  const type = schema.intOrString === true ? '' : (schema.type ?? '');
  const fits =
    type === 'integer'
      ? isWhole(value) && (format !== 'int32' || (value >= -INT32_MAX - 1 && value <= INT32_MAX))
      : format !== 'float' || Math.abs(Number(value)) <= FLOAT_MAX;
  if (fits) return undefined;
  return `${what} value must be of type ${type} ${format === '' ? '(default format)' : `with format ${format}`} in ${NAME}`;
}

export function numberFindings(value: Int64, schema: Schema, complain: Complainer): Finding[] {
  const findings: Finding[] = [];
  /** False when the limit is none for the type: it is then compared as a double. */
  const inRange = (limit: Int64, what: string): boolean => {
    const why = outOfRange(limit, schema, what);
    if (why !== undefined) findings.push(complain.whole(why.replace(NAME, complain.name)));
    return why === undefined;
  };
  inRange(value, 'Checked');
  const { multipleOf, minimum, maximum } = schema;
  if (multipleOf !== undefined)
    findings.push(...multiples(value, limitOf(value, multipleOf, inRange(multipleOf, 'MultipleOf')), complain));
  const { exclusiveMinimum, exclusiveMaximum } = schema;
  if (minimum !== undefined) {
    const limit = limitOf(value, minimum, inRange(minimum, 'Minimum boundary'));
    if (exclusiveMinimum === true ? value <= limit : value < limit) {
      findings.push(
        complain.invalid(
          value,
          `${NAME} in body should be greater than ${exclusiveMinimum === true ? '' : 'or equal to '}${limitText(value, limit)}`,
        ),
      );
    }
  }
  if (maximum !== undefined) {
    const limit = limitOf(value, maximum, inRange(maximum, 'Maximum boundary'));
    if (exclusiveMaximum === true ? value >= limit : value > limit) {
      findings.push(
        complain.invalid(
          value,
          `${NAME} in body should be less than ${exclusiveMaximum === true ? '' : 'or equal to '}${limitText(value, limit)}`,
        ),
      );
    }
  }
  return findings;
}

/** An integer is compared with the integer part of a limit, unless that is out of range. */
const limitOf = (value: Int64, limit: number, native: boolean): number =>
  native && isInt64(value) ? Math.trunc(limit) : limit;
/** A limit is printed as what it is compared as. */
const limitText = (value: Int64, limit: number): string =>
  isInt64(value) && Number.isInteger(limit) ? decimalText(limit) : goDouble(limit);

function multiples(value: Int64, factor: number, complain: Complainer): Finding[] {
  if (factor <= 0)
    return [
      complain.invalid(factor, `factor MultipleOf declared for ${NAME} must be positive: ${limitText(value, factor)}`),
    ];
  return isMultiple(value, factor)
    ? []
    : [complain.invalid(value, `${NAME} in body should be a multiple of ${limitText(value, factor)}`)];
}

function isMultiple(value: Int64, of: number): boolean {
  if (isInt64(value) && Number.isInteger(of)) return BigInt(value) % BigInt(of) === 0n;
  const quotient = of < 1 ? (1 / of) * Number(value) : Number(value) / of;
  return Number.isSafeInteger(Math.round(quotient)) && Math.abs(quotient - Math.round(quotient)) <= 1e-9;
}
