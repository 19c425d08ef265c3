/**
 * Addresses and CIDRs inside objects (k8s.io/apimachinery/pkg/util/validation/ip.go). Old fields take every spelling
 * that has one meaning; new fields take the canonical one alone.
 */
import ipaddr from 'ipaddr.js';
import { isStrictPart, plainAddress, plainRange } from './plain-addresses.js';

export interface Address {
  readonly family: 'IPv4' | 'IPv6';
  /** 4 or 16 bytes; an IPv4 address in IPv6 form has 4. */
  readonly bytes: readonly number[];
  /** The canonical spelling (RFC 5952). */
  readonly text: string;
  /** What makes the spelling ambiguous: software differs in how it reads such addresses. */
  readonly doubt?: 'leading zeros' | 'mapped';
}

export interface Cidr {
  readonly address: Address;
  readonly bits: number;
  /** The canonical spelling, with no bits beyond the prefix. */
  readonly text: string;
  readonly doubt?: 'leading zeros' | 'mapped' | 'host bits';
}

const OCTETS = /^\d+\.\d+\.\d+\.\d+$/;
const ADDRESS_CHARS_MAX = 64;

function parseV4(text: string): Address | undefined {
  if (!OCTETS.test(text)) return undefined;
  const parts = text.split('.');
  const bytes = parts.map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return {
    family: 'IPv4',
    bytes,
    text: bytes.join('.'),
    ...(parts.some((part) => part.length > 1 && part.startsWith('0')) ? { doubt: 'leading zeros' as const } : {}),
  };
}

/** Undefined for what is no address. A zone (`fe80::1%eth0`) is none. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > ADDRESS_CHARS_MAX) return undefined;
  if (!text.includes(':')) return parseV4(text);
  if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  if (address.isIPv4MappedAddress()) {
    const bytes = address.toIPv4Address().toByteArray();
    return { family: 'IPv4', bytes, text: bytes.join('.'), doubt: 'mapped' };
  }
  return { family: 'IPv6', bytes: address.toByteArray(), text: address.toRFC5952String() };
}

const masked = (bytes: readonly number[], bits: number): number[] =>
  bytes.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff);

const areEqual = (a: readonly number[], b: readonly number[]): boolean => a.every((byte, index) => byte === b[index]);

const spelled = (bytes: readonly number[]): string => {
  if (bytes.length === 4) return bytes.join('.');
  const address = ipaddr.fromByteArray([...bytes]);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
};

function doubtOf(address: Address, prefix: string, isWhole: boolean): Pick<Cidr, 'doubt'> {
  if (address.doubt === 'leading zeros' || (prefix.length > 1 && prefix.startsWith('0')))
    return { doubt: 'leading zeros' };
  if (address.doubt === 'mapped') return { doubt: 'mapped' };
  return isWhole ? {} : { doubt: 'host bits' };
}

export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
  const prefix = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,8}$/.test(prefix)) return undefined;
  const size = address.doubt === 'mapped' ? 128 : address.bytes.length * 8;
  const written = Number(prefix);
  if (written > size) return undefined;
  const bits = Math.max(0, written - (size - address.bytes.length * 8));
  const network = masked(address.bytes, bits);
  return {
    address,
    bits,
    text: `${spelled(network)}/${bits}`,
    ...doubtOf(address, prefix, areEqual(network, address.bytes)),
  };
}

/** The inner network is a part of the outer one, and smaller. */
export function isStrictSubset(inner: Cidr, outer: Cidr): boolean {
  return (
    inner.address.family === outer.address.family &&
    inner.bits > outer.bits &&
    areEqual(masked(inner.address.bytes, outer.bits), masked(outer.address.bytes, outer.bits))
  );
}

/** Whether texts are ranges within one outer range, and smaller; undefined for what is not a range. */
export function strictSubsetOf(outer: Cidr): (text: string) => boolean | undefined {
  const plainOuter = plainRange(outer.text);
  return (text) => {
    const plain = plainRange(text);
    if (plain !== undefined && plainOuter !== undefined) return isStrictPart(plain, plainOuter);
    const inner = parseCidr(text);
    return inner === undefined ? undefined : isStrictSubset(inner, outer);
  };
}

const NOT_AN_ADDRESS = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const NOT_A_CIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

const ADDRESS_DOUBTS = {
  'leading zeros': 'must not have leading 0s',
  mapped: 'must not be an IPv4-mapped IPv6 address',
} as const;
const CIDR_DOUBTS = {
  'leading zeros': 'must not have leading 0s in IP or prefix length',
  mapped: 'must not have an IPv4-mapped IPv6 address',
  'host bits': 'must not have bits set beyond the prefix length',
} as const;

const NONE: ReadonlySet<string> = new Set();

/** An address in any spelling that is not ambiguous. `known` are values that were stored before the rule. */
export const addressForm =
  (known: ReadonlySet<string> = NONE) =>
  (text: string): string[] => {
    if (known.has(text) || plainAddress(text) !== undefined) return [];
    const address = parseAddress(text);
    if (address === undefined) return [NOT_AN_ADDRESS];
    return address.doubt === undefined ? [] : [ADDRESS_DOUBTS[address.doubt]];
  };

export const cidrForm =
  (known: ReadonlySet<string> = NONE) =>
  (text: string): string[] => {
    if (known.has(text) || plainRange(text) !== undefined) return [];
    const cidr = parseCidr(text);
    if (cidr === undefined) return [NOT_A_CIDR];
    return cidr.doubt === undefined ? [] : [CIDR_DOUBTS[cidr.doubt]];
  };

const canonical = (text: string, form: string | undefined): string[] =>
  form === undefined || form === text ? [] : [`must be in canonical form (${JSON.stringify(form)})`];

export function canonicalAddress(text: string): string[] {
  const complaints = addressForm()(text);
  return complaints.length > 0 ? complaints : canonical(text, parseAddress(text)?.text);
}

export function canonicalCidr(text: string): string[] {
  const complaints = cidrForm()(text);
  return complaints.length > 0 ? complaints : canonical(text, parseCidr(text)?.text);
}

/** From 1.0.0.0 to 223.255.255.255 only these have a meaning of their own. */
function isOrdinary(address: number): boolean {
  const [first, two] = [Math.floor(address / 2 ** 24), Math.floor(address / 2 ** 16)];
  return first > 0 && first < 224 && first !== 127 && two !== LINK_LOCAL;
}
const LINK_LOCAL = 169 * 256 + 254;

/** Where traffic to an endpoint may not go: a node would send it to itself or to its own link. */
export function endpointAddress(text: string): string[] {
  const plain = plainAddress(text);
  if (plain !== undefined && isOrdinary(plain)) return [];
  const address = parseAddress(text);
  if (address === undefined) return ['must be a valid IP address'];
  const {
    bytes: [first = 0, second = 0, third = 0],
    bytes,
  } = address;
  const isV4 = address.family === 'IPv4';
  const complaints: string[] = [];
  if (bytes.every((byte) => byte === 0)) complaints.push(`may not be unspecified (${text})`);
  if (isV4 ? first === 127 : address.text === '::1')
    complaints.push('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (isV4 ? first === 169 && second === 254 : first === 0xfe && (second & 0xc0) === 0x80)
    complaints.push('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  if (isV4 ? first === 224 && second === 0 && third === 0 : first === 0xff && (second & 0x0f) === 2) {
    complaints.push('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
  return complaints;
}
