/**
 * The string formats that custom resources may ask for, as k8s.io/kube-openapi/pkg/validation/strfmt has them; formats
 * not named here are not checked.
 */
import { isIPv6 } from 'node:net';
import { parseDuration } from '../duration.js';
import { isDate } from '../go-time.js';
import { parseGoUrl } from '../go-url.js';

const matches =
  (pattern: RegExp, length_max = Number.POSITIVE_INFINITY) =>
  (text: string): boolean =>
    text.length <= length_max && pattern.test(text);

const SHORT_NAME = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const BYTE_OF_COLOR = '\\s*(?:0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*';
const uuid = (version: string, variant: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i');
const ANY = '[0-9a-f]';

/** By name without dashes, which do not count. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  datetime: isDateTime,
  date: isDate,
  duration: isDuration,
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  ipv4: (text) => isDotted(text) || (text.includes('.') && isIPv6(text)),
  ipv6: (text) => isIPv6(text) && !text.includes('%'),
  cidr: isCidr,
  hostname: isHostname,
  uuid: matches(uuid(ANY, ANY)),
  uuid3: matches(uuid('3', ANY)),
  uuid4: matches(uuid('4', '[89ab]')),
  uuid5: matches(uuid('5', '[89ab]')),
  uri: isRequestUri,
  email: isEmail,
  mac: matches(
    /^(?:(?:[0-9a-f]{2}:){5}(?:[0-9a-f]{2}:){0,2}[0-9a-f]{2}|(?:[0-9a-f]{2}-){5}(?:[0-9a-f]{2}-){0,2}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}(?:[0-9a-f]{4}\.)?[0-9a-f]{4})$/i,
  ),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: (text) => text.length === 11 && /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(new RegExp(`^rgb\\(${BYTE_OF_COLOR},${BYTE_OF_COLOR},${BYTE_OF_COLOR}\\)$`)),
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  password: () => true,
  k8sshortname: matches(new RegExp(`^${SHORT_NAME}$`), 63),
  k8slongname: matches(new RegExp(`^${SHORT_NAME}(?:\\.${SHORT_NAME})*$`), 253),
};

const NUMBER_FORMATS: Readonly<Record<string, readonly string[]>> = {
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
};

/** Whether anything checks the format in a schema of that type; kube-apiserver ignores others. */
export function isKnownFormat(type: string, format: string): boolean {
  if (type === '' || type === 'string') return Object.hasOwn(FORMATS, format.replaceAll('-', ''));
  return Object.hasOwn(NUMBER_FORMATS, type) && NUMBER_FORMATS[type]?.includes(format) === true;
}

export function hasFormat(text: string, format: string): boolean {
  const name = format.replaceAll('-', '');
  const check = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  return check === undefined || check(text);
}

const CLOCK = /^(\d{2}):(\d{2}):(\d{2})(.\d+)?(z|([+-]\d{2}:\d{2}))$/;

/** A date, then after a `t` of either case the time of day; what follows another `t` is not looked at. */
function isDateTime(text: string): boolean {
  const [date = '', clock = ''] = text.toLowerCase().split('t');
  const [, hour = '', minute = '', second = ''] = CLOCK.exec(clock) ?? [];
  return isDate(date) && hour !== '' && hour <= '23' && minute <= '59' && second <= '59';
}

const UNITS = new Set(['ns', 'us', 'µs', 'ms', 's', 'm', 'h', 'hr', 'd', 'w', 'wk']);
/** The longest spelling of a unit may go on as it likes. */
const UNIT_STARTS = ['nano', 'micro', 'milli', 'sec', 'min', 'hour', 'day', 'week'];

/** It begins where a number begins: tried at each digit of a long one, it would cost the square. */
const NUMBER_WITH_UNIT = /(?<!\d)\d+\s*([A-Za-zµ]+)/g;

/** Go's form, or some number with a unit of Scala's anywhere in the text. */
function isDuration(text: string): boolean {
  if (parseDuration(text) !== undefined) return true;
  for (const [, unit = ''] of text.matchAll(NUMBER_WITH_UNIT)) {
    if (UNITS.has(unit.toLowerCase()) || UNIT_STARTS.some((start) => unit.toLowerCase().startsWith(start))) return true;
  }
  return false;
}

/** Leading zeros do not matter. */
const isDotted = (text: string): boolean =>
  /^\d+\.\d+\.\d+\.\d+$/.test(text) && text.split('.').every((part) => Number(part) <= 255);

function isCidr(text: string): boolean {
  const [, address = '', bits = ''] = /^(.*)\/(\d{1,3})$/s.exec(text) ?? [];
  return (
    (isDotted(address) && Number(bits) <= 32) || (isIPv6(address) && !address.includes('%') && Number(bits) <= 128)
  );
}

const HOST_LETTER = '[a-zA-Z0-9\\p{S}\\p{L}]';
const HOSTNAME = new RegExp(
  `^(?:${HOST_LETTER}(?:-?${HOST_LETTER}{0,62})?|(?:${HOST_LETTER}(?:[a-zA-Z0-9\\-\\p{S}\\p{L}]{0,61}${HOST_LETTER})?\\.)+[a-zA-Z\\p{L}]{2,63})$`,
  'u',
);

function isHostname(text: string): boolean {
  return (
    text.length <= 255 &&
    HOSTNAME.test(text) &&
    Buffer.byteLength(text) <= 255 &&
    text.split('.').every((part) => Buffer.byteLength(part) <= 63)
  );
}

/** A URL with a scheme, or a rooted path. */
function isRequestUri(text: string): boolean {
  const parsed = parseGoUrl(text);
  return parsed.kind === 'url' && (parsed.url.scheme === '' ? text.startsWith('/') : /^[^:]+:\//.test(text));
}

const ADDRESS =
  /^(?:[^\s@<>()[\]\\,;:".]+(?:\.[^\s@<>()[\]\\,;:".]+)*|"(?:[^"\\\r\n]|\\.)*")@(?:[^\s@<>()[\]\\,;:".]+(?:\.[^\s@<>()[\]\\,;:".]+)*|\[[^\s[\]]*\])$/;
const DISPLAY_NAME = /^(?:"(?:[^"\\\r\n]|\\.)*"|[^<>@",;:\\()[\]]*)$/;

/**
 * An address of RFC 5322, bare or in angle brackets after a name. Taken apart by hand: a pattern would try each way to
 * share out white space.
 */
function isEmail(text: string): boolean {
  const trimmed = text.trim();
  if (!trimmed.endsWith('>')) return ADDRESS.test(trimmed);
  const open = trimmed.lastIndexOf('<');
  return (
    open >= 0 && DISPLAY_NAME.test(trimmed.slice(0, open).trim()) && ADDRESS.test(trimmed.slice(open + 1, -1).trim())
  );
}

const digitsOf = (text: string): string => text.replace(/[\s-]+/g, '');
const weighted = (digits: string, weight: (index: number) => number): number =>
  Array.from(digits).reduce((sum, digit, index) => sum + weight(index) * (digit === 'X' ? 10 : Number(digit)), 0);

function isIsbn10(text: string): boolean {
  const digits = digitsOf(text);
  return /^(?:[0-9]{9}X|[0-9]{10})$/.test(digits) && weighted(digits, (index) => index + 1) % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = digitsOf(text);
  return /^[0-9]{13}$/.test(digits) && weighted(digits, (index) => (index % 2 === 0 ? 1 : 3)) % 10 === 0;
}

const CARD =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/;

/** Luhn's sum, from the right. */
function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D+/g, '');
  if (!CARD.test(digits)) return false;
  const sum = Array.from(digits)
    .toReversed()
    .reduce((total, digit, index) => {
      const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
      return total + (value > 9 ? value - 9 : value);
    }, 0);
  return sum % 10 === 0;
}
