/** Collects field errors in the order they are found; the words are those of `fieldErrors`. */
import type { Work } from '../../../platform/work.js';
import { parseQuantity } from '../../quantity.js';
import { FIELD_ERRORS_MAX, fieldErrors, type FieldError } from '../../status.js';
import { absent, optionalNum, str, unset } from './value.js';

export const NOT_NEGATIVE = 'must be greater than or equal to 0';
export const IMMUTABLE = 'field is immutable';

/** Ends a check that has found as much as anybody is told. */
class Enough extends Error {}

export class Complaints {
  readonly all: FieldError[] = [];

  /** What is wrong a hundred times is not looked at further: neither answer nor work grow with the number of faults. */
  #push(error: FieldError): void {
    this.all.push(error);
    if (this.all.length >= FIELD_ERRORS_MAX) throw new Enough();
  }

  required(path: string, why?: string): void {
    this.#push(fieldErrors.required(path, why));
  }

  invalid(path: string, value: unknown, why: string): void {
    this.#push(fieldErrors.invalid(path, value ?? null, why));
  }

  /** An invalid value that is not shown: what is wrong is a combination. */
  wrong(path: string, why: string): void {
    this.#push({ type: 'FieldValueInvalid', field: path, detail: `Invalid value: ${why}` });
  }

  unsupported(path: string, value: unknown, supported: readonly string[]): void {
    this.#push(fieldErrors.notSupported(path, value, supported));
  }

  duplicate(path: string, value: unknown): void {
    this.#push(fieldErrors.duplicate(path, value));
  }

  forbidden(path: string, why: string): void {
    this.#push(fieldErrors.forbidden(path, why));
  }

  notFound(path: string, value: unknown): void {
    this.#push(fieldErrors.notFound(path, value));
  }

  tooLong(path: string, limit: number): void {
    this.#push(fieldErrors.tooLong(path, limit));
  }

  tooMany(path: string, count: number, limit: number): void {
    this.#push(fieldErrors.tooMany(path, count, limit));
  }

  add(errors: readonly FieldError[]): void {
    for (const error of errors) this.#push(error);
  }

  /** Each complaint of a form check becomes an error on the value. */
  form(path: string, value: unknown, check: (value: string) => readonly string[]): void {
    for (const why of check(str(value))) this.invalid(path, value, why);
  }

  /** A value that must be there and keep a form. */
  requiredForm(path: string, value: unknown, check: (value: string) => readonly string[]): void {
    if (unset(value)) this.required(path);
    else this.form(path, value, check);
  }

  /** A number, when it is there, is not below `min`. */
  atLeast(path: string, value: unknown, min = 0): void {
    const known = optionalNum(value);
    if (known !== undefined && known < min) this.invalid(path, value, `must be greater than or equal to ${min}`);
  }

  /** One of a closed set, listed in the given order; an unset value is an error only where it is required. */
  oneOf(path: string, value: unknown, supported: readonly string[], required = false): void {
    if (unset(value)) {
      if (required) this.required(path);
    } else if (!supported.includes(str(value))) {
      this.unsupported(path, value, supported);
    }
  }

  /** One of a closed set where the empty string is a value like any other (a pointer in Go's types). */
  enumerated(path: string, value: unknown, supported: readonly string[]): void {
    if (!absent(value) && !supported.includes(str(value))) this.unsupported(path, value, supported);
  }

  port(path: string, value: unknown): void {
    const port = optionalNum(value);
    if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65_535)
      this.invalid(path, value, 'must be between 1 and 65535, inclusive');
  }

  /** A quantity that is not negative. */
  quantity(path: string, value: unknown): void {
    if (absent(value)) return;
    const parsed = parseQuantity(value);
    if (parsed === undefined) {
      this.invalid(
        path,
        value,
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      );
    } else if (parsed.nano < 0n) {
      this.invalid(path, value, NOT_NEGATIVE);
    }
  }

  immutable(path: string, value: unknown, unchanged: boolean): void {
    if (!unchanged) this.invalid(path, value, IMMUTABLE);
  }
}

/** Runs a check and gives what it found. */
export function complaintsOf(check: (complaints: Complaints) => void): FieldError[] {
  const complaints = new Complaints();
  try {
    check(complaints);
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return complaints.all;
}

/** The same for a check in slices. */
export function* complaintsWork(check: (complaints: Complaints) => Work<void>): Work<FieldError[]> {
  const complaints = new Complaints();
  try {
    yield* check(complaints);
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return complaints.all;
}
