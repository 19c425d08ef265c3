/**
 * Times as Go reads and writes them (time.Parse with RFC 3339 layouts): what it accepts beyond the RFC is accepted
 * here, and what it refuses is refused in its words, since clients see them.
 */

interface GoTime {
  /** Whole seconds since the epoch. */
  readonly seconds: number;
  readonly nanos: number;
}

export class TimeError extends Error {
  override readonly name = 'TimeError';
}

/** Elements of a layout, literals among them. A comma may stand for the point of a fraction. */
type Element = '2006' | '01' | '02' | '15' | '04' | '05' | '.000000' | 'Z07:00' | '-' | 'T' | ':';

const DATE: readonly Element[] = ['2006', '-', '01', '-', '02'];
const CLOCK: readonly Element[] = ['T', '15', ':', '04', ':', '05'];
const RFC3339: readonly Element[] = [...DATE, ...CLOCK, 'Z07:00'];
const RFC3339_MICRO: readonly Element[] = [...DATE, ...CLOCK, '.000000', 'Z07:00'];

/** Throws TimeError. */
const parseRfc3339 = (text: string): GoTime => new LayoutParser(RFC3339, text).run();
/** With exactly six digits of a second. Throws TimeError. */
const parseRfc3339Micro = (text: string): GoTime => new LayoutParser(RFC3339_MICRO, text).run();

/** `2006-01-02`. */
export function isDate(text: string): boolean {
  try {
    new LayoutParser(DATE, text).run();
    return true;
  } catch (error) {
    if (error instanceof TimeError) return false;
    throw error;
  }
}

/** Go's zero time: 0001-01-01T00:00:00Z. It is encoded as null. */
const ZERO_SECONDS = -62_135_596_800;

const CANONICAL = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/;
const ZERO_YEAR = 1;
/** Every month has so many days. */
const DAYS_MIN = 28;

/** A time as it is stored: nearly all are, and the parser takes twenty times as long. */
function isCanonical(text: string): boolean {
  const [, year, month, day, hour, minute, second] = CANONICAL.exec(text)?.map(Number) ?? [];
  if (
    year === undefined ||
    month === undefined ||
    day === undefined ||
    hour === undefined ||
    minute === undefined ||
    second === undefined
  )
    return false;
  return (
    year > ZERO_YEAR &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= DAYS_MIN &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59
  );
}

/** metav1.Time: UTC and whole seconds. Null for the zero time. Throws TimeError. */
export function canonicalTime(text: string): string | null {
  if (isCanonical(text)) return text;
  const { seconds, nanos } = parseRfc3339(text);
  return seconds === ZERO_SECONDS && nanos === 0 ? null : `${wholeSeconds(seconds)}Z`;
}

/** metav1.MicroTime: UTC and six digits of a second. Null for the zero time. Throws TimeError. */
export function canonicalMicroTime(text: string): string | null {
  const { seconds, nanos } = parseRfc3339Micro(text);
  if (seconds === ZERO_SECONDS && nanos === 0) return null;
  return `${wholeSeconds(seconds)}.${String(Math.trunc(nanos / 1000)).padStart(6, '0')}Z`;
}

const wholeSeconds = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length);

const RANGES = {
  '01': ['month', 1, 12],
  '15': ['hour', 0, 23],
  '04': ['minute', 0, 59],
  '05': ['second', 0, 59],
} as const satisfies Partial<Record<Element, readonly [string, number, number]>>;

class LayoutParser {
  readonly #layout: readonly Element[];
  readonly #text: string;
  #rest: string;
  readonly #values: Record<string, number> = {
    '2006': 0,
    '01': 1,
    '02': 1,
    '15': 0,
    '04': 0,
    '05': 0,
    nanos: 0,
    offset: 0,
  };

  constructor(layout: readonly Element[], text: string) {
    this.#layout = layout;
    this.#text = text;
    this.#rest = text;
  }

  run(): GoTime {
    for (const element of this.#layout) this.#element(element);
    if (this.#rest !== '') throw this.#wrong(`: extra text: ${quote(this.#rest)}`);
    const {
      '2006': year = 0,
      '01': month = 1,
      '02': day = 1,
      '15': hour = 0,
      '04': minute = 0,
      '05': second = 0,
      nanos = 0,
      offset = 0,
    } = this.#values;
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    if (day < 1 || date.getUTCDate() !== day) throw this.#wrong(': day out of range');
    return { seconds: date.setUTCHours(hour, minute, second) / 1000 - offset, nanos };
  }

  #element(element: Element): void {
    switch (element) {
      case '-':
      case 'T':
      case ':':
        this.#take(/^./su, element, (match) => match === element);
        return;
      case '2006':
        this.#values[element] = Number(this.#take(/^\d{4}/, element));
        return;
      // One digit is enough for an hour.
      case '15':
        this.#number(element, /^\d\d?/);
        return;
      case '01':
      case '02':
      case '04':
        this.#number(element, /^\d\d/);
        return;
      case '05':
        this.#number(element, /^\d\d/);
        // A fraction may follow where the layout has none.
        if (!this.#layout.includes('.000000')) this.#fraction(/^[.,]\d+/.exec(this.#rest)?.[0] ?? '');
        return;
      case '.000000':
        this.#values['nanos'] = nanosOf(this.#take(/^[.,]\d{6}/, element));
        return;
      case 'Z07:00':
        this.#zone(element);
    }
  }

  #fraction(text: string): void {
    this.#rest = this.#rest.slice(text.length);
    this.#values['nanos'] = nanosOf(text);
  }

  #number(element: '01' | '02' | '15' | '04' | '05', form: RegExp): void {
    const value = Number(this.#take(form, element));
    this.#values[element] = value;
    if (element === '02') return; // Judged when month and year are known.
    const [name, least, most] = RANGES[element];
    if (value < least || value > most) throw this.#wrong(`: ${name} out of range`);
  }

  #zone(element: Element): void {
    const zone = this.#take(/^(?:Z|[+-]\d\d:\d\d)/, element);
    if (zone === 'Z') return;
    const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4))];
    // Some write offsets of 24 hours or 60 minutes.
    if (minutes > 60) throw this.#wrong(': time zone offset minute out of range');
    if (hours > 24) throw this.#wrong(': time zone offset hour out of range');
    this.#values['offset'] = (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60;
  }

  /** The text of an element, stepped over. */
  #take(form: RegExp, element: Element, fits: (match: string) => boolean = () => true): string {
    const match = form.exec(this.#rest)?.[0];
    if (match === undefined || !fits(match)) {
      const layout = this.#layout.join('');
      throw this.#wrong(` as ${quote(layout)}: cannot parse ${quote(this.#rest)} as ${quote(element)}`);
    }
    this.#rest = this.#rest.slice(match.length);
    return match;
  }

  #wrong(why: string): TimeError {
    return new TimeError(`parsing time ${quote(this.#text)}${why}`);
  }
}

/** Of `.123456`: what is finer than a nanosecond is cut. */
const nanosOf = (fraction: string): number => Number(fraction.slice(1, 10).padEnd(9, '0'));

const QUOTED_MAX = 128;

/** As Go's time package quotes: bytes that are not printable ASCII in hexadecimal. Long text is cut. */
function quote(text: string): string {
  const shown = text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}...` : text;
  const escaped = Array.from(Buffer.from(shown), (byte) => {
    const char = String.fromCharCode(byte);
    if (char === '"' || char === '\\') return `\\${char}`;
    return byte < 0x20 || byte >= 0x7f ? `\\x${byte.toString(16).padStart(2, '0')}` : char;
  });
  return `"${escaped.join('')}"`;
}
