/**
 * Complaints about values of custom resources, as kube-openapi's validator says them: a path within the body, and the
 * same path as the field.
 */
import { decimalText, isInt64, isNumeric } from '../int64.js';
import { fieldErrors } from '../status.js';
import type { CauseType } from '../status.js';
import type { FieldPath } from './path.js';
import type { Finding } from './value-result.js';

/**
 * Doubles in Go's shortest form, as `%v` prints them: with an exponent where there are more than six digits before the
 * point.
 */
export function goDouble(value: number): string {
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < EXPONENT_MIN) return decimalText(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const goNumber = (value: number | bigint): string => (isInt64(value) ? decimalText(value) : goDouble(Number(value)));

const EXPONENT_MIN = 6;

export class Complainer {
  readonly #base: string;
  readonly #path: FieldPath;

  /** `base`: where the value lies in the object; '' for the object itself. */
  constructor(base: string, path: FieldPath) {
    this.#base = base;
    this.#path = path;
  }

  /** The path in the texts. Keys of maps are names like any other. */
  get name(): string {
    return this.#path.inBody();
  }

  invalid(value: unknown, why: string): Finding {
    return this.#finding('FieldValueInvalid', value, why);
  }

  type(value: unknown, why: string): Finding {
    return this.#finding('FieldValueTypeInvalid', value, why);
  }

  /** About no field: what combinations of schemas say, and limits of number formats. */
  whole(text: string): Finding {
    return { error: fieldErrors.invalid(this.#base === '' ? NOWHERE : this.#base, '', text), text };
  }

  tooLong(limit: number): Finding {
    return {
      error: fieldErrors.tooLong(this.#field(), limit),
      text: `${this.name} in body should be at most ${limit} chars long`,
    };
  }

  tooMany(count: number, limit: number, what: string): Finding {
    return {
      error: fieldErrors.tooMany(this.#field(), count, limit),
      text: `${this.name} in body should have at most ${limit} ${what}`,
    };
  }

  required(name: string): Finding {
    const missing = `${this.name}.${name}`;
    return { error: fieldErrors.required(this.#join(missing)), text: `${missing} in body is required` };
  }

  notSupported(value: unknown, allowed: readonly string[]): Finding {
    return {
      error: fieldErrors.notSupported(this.#field(), value ?? null, allowed),
      text: `${this.name} in body should be one of [${allowed.join(' ')}]`,
    };
  }

  #finding(type: CauseType, value: unknown, why: string): Finding {
    const text = why.replace(NAME, this.name);
    const shown = isNumeric(value) ? goNumber(value) : undefined;
    const error =
      type === 'FieldValueInvalid'
        ? fieldErrors.invalid(this.#field(), value, text)
        : fieldErrors.typeInvalid(this.#field(), value, text);
    return { error: shown === undefined ? error : { ...error, detail: `Invalid value: ${shown}: ${text}` }, text };
  }

  #field(): string {
    return this.#join(this.name);
  }

  #join(name: string): string {
    const inner = name.replace(/^\./, '');
    if (inner === '') return this.#base === '' ? NOWHERE : this.#base;
    return this.#base === '' ? inner : `${this.#base}.${inner}`;
  }
}

/** What Go prints for a path that is nil. */
const NOWHERE = '<nil>';
/** Stands for the path within a text. */
export const NAME = '\0';
