/**
 * IPv4 addresses and ranges in the one spelling that nobody doubts, as nearly all are: recognised without making parts
 * of the text. Lists of them may have tens of thousands of items. What is not recognised here may still be an address
 * (addresses.ts).
 */
const ADDRESS_CHARS_MAX = '255.255.255.255'.length;
const RANGE_CHARS_MAX = '255.255.255.255/32'.length;
const [ZERO, NINE, DOT, SLASH] = [0x30, 0x39, 0x2e, 0x2f];
const PARTS = 4;
const ADDRESS_BITS = 32;

export interface PlainRange {
  /** All 32 bits, as a whole number. No bit is set beyond the prefix. */
  readonly address: number;
  readonly bits: number;
}

/** The decimal number that stands in `text` from `from` to `to`; -1 for none, for leading zeros, and beyond `max`. */
function decimal(text: string, from: number, to: number, max: number): number {
  if (from >= to || (text.charCodeAt(from) === ZERO && to - from > 1)) return -1;
  let number = 0;
  for (let at = from; at < to; at++) {
    const char = text.charCodeAt(at);
    if (char < ZERO || char > NINE) return -1;
    number = number * 10 + char - ZERO;
    if (number > max) return -1;
  }
  return number;
}

function addressUntil(text: string, end: number): number {
  let [address, parts, from] = [0, 0, 0];
  for (let at = 0; at <= end; at++) {
    if (at < end && text.charCodeAt(at) !== DOT) continue;
    const part = decimal(text, from, at, 255);
    if (part < 0 || parts === PARTS) return -1;
    address = address * 256 + part;
    parts += 1;
    from = at + 1;
  }
  return parts === PARTS ? address : -1;
}

/** All 32 bits, as a whole number; undefined for what is not recognised. */
export function plainAddress(text: string): number | undefined {
  const address = text.length > ADDRESS_CHARS_MAX ? -1 : addressUntil(text, text.length);
  return address < 0 ? undefined : address;
}

export function plainRange(text: string): PlainRange | undefined {
  if (text.length > RANGE_CHARS_MAX) return undefined;
  let slash = text.length - 1;
  while (slash >= 0 && text.charCodeAt(slash) !== SLASH) slash -= 1;
  const bits = decimal(text, slash + 1, text.length, ADDRESS_BITS);
  const address = slash < 0 || bits < 0 ? -1 : addressUntil(text, slash);
  return address < 0 || address % 2 ** (ADDRESS_BITS - bits) !== 0 ? undefined : { address, bits };
}

/** The inner range is a part of the outer one, and smaller. */
export function isStrictPart(inner: PlainRange, outer: PlainRange): boolean {
  const size = 2 ** (ADDRESS_BITS - outer.bits);
  return inner.bits > outer.bits && Math.floor(inner.address / size) === Math.floor(outer.address / size);
}
