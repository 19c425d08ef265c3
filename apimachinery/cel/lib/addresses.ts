/** Kubernetes' libraries of IP addresses and CIDRs. Zones and IPv4 addresses in IPv6 form are not addresses here. */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Library } from '../check/declare.js';
import { OPAQUE, global, member } from '../check/declare.js';
import { CelError, Opaque, noSuchOverload } from '../values/values.js';
import type { Value } from '../values/values.js';

class IpValue extends Opaque {
  readonly type = OPAQUE.IP;
  /** 4 or 16. */
  readonly bytes: readonly number[];

  constructor(bytes: readonly number[]) {
    super();
    this.bytes = bytes;
  }

  get family(): bigint {
    return this.bytes.length === 4 ? 4n : 6n;
  }

  equals(other: Opaque): boolean {
    return other instanceof IpValue && this.toString() === other.toString();
  }

  override toString(): string {
    const address = ipaddr.fromByteArray([...this.bytes]);
    return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
  }
}

class CidrValue extends Opaque {
  readonly type = OPAQUE.CIDR;
  readonly ip: IpValue;
  readonly bits: number;

  constructor(ip: IpValue, bits: number) {
    super();
    this.ip = ip;
    this.bits = bits;
  }

  equals(other: Opaque): boolean {
    return other instanceof CidrValue && this.toString() === other.toString();
  }

  override toString(): string {
    return `${this.ip.toString()}/${this.bits}`;
  }

  contains(ip: IpValue): boolean {
    return (
      ip.family === this.ip.family && masked(ip.bytes, this.bits).join() === masked(this.ip.bytes, this.bits).join()
    );
  }
}

const masked = (bytes: readonly number[], bits: number): number[] =>
  bytes.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff);

function parseIp(text: string): IpValue | CelError {
  if (text.includes('%')) return new CelError(`IP address ${JSON.stringify(text)} with zone value is not allowed`);
  if (!isIPv4(text) && !isIPv6(text))
    return new CelError(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    );
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress())
    return new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return new IpValue(address.toByteArray());
}

function parseCidr(text: string): CidrValue | CelError {
  const invalid = (): CelError =>
    new CelError(
      `network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): ${text.includes('/') ? 'bad bits after slash' : "no '/'"}`,
    );
  const [address = '', bits = '', ...more] = text.split('/');
  if (more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits)) return invalid();
  const ip = parseIp(address);
  if (ip instanceof CelError) return ip;
  return Number(bits) > ip.bytes.length * 8 ? invalid() : new CidrValue(ip, Number(bits));
}

const parses =
  (parse: (text: string) => Value) =>
  (text: string): boolean =>
    !(parse(text) instanceof CelError);

function isCanonical(text: string): Value {
  const ip = parseIp(text);
  return ip instanceof CelError ? ip : ip.toString() === text;
}

const first = ({ bytes }: IpValue): number => bytes[0] ?? 0;
const isV6 = (ip: IpValue): boolean => ip.bytes.length === 16;
const isUnspecified = ({ bytes }: IpValue): boolean => bytes.every((byte) => byte === 0);
const isLoopback = (ip: IpValue): boolean =>
  isV6(ip) ? ip.bytes.every((byte, index) => byte === (index === 15 ? 1 : 0)) : first(ip) === 127;
const isMulticast = (ip: IpValue): boolean => (isV6(ip) ? first(ip) === 0xff : (first(ip) & 0xf0) === 0xe0);
const isLinkLocalMulticast = (ip: IpValue): boolean =>
  isV6(ip)
    ? first(ip) === 0xff && ((ip.bytes[1] ?? 0) & 0x0f) === 2
    : first(ip) === 224 && ip.bytes[1] === 0 && ip.bytes[2] === 0;
const isLinkLocalUnicast = (ip: IpValue): boolean =>
  isV6(ip) ? first(ip) === 0xfe && ((ip.bytes[1] ?? 0) & 0xc0) === 0x80 : first(ip) === 169 && ip.bytes[1] === 254;
const isBroadcast = ({ bytes }: IpValue): boolean => bytes.length === 4 && bytes.every((byte) => byte === 255);
const isGlobalUnicast = (ip: IpValue): boolean =>
  !isUnspecified(ip) && !isLoopback(ip) && !isMulticast(ip) && !isLinkLocalUnicast(ip) && !isBroadcast(ip);

const containsIp = (cidr: CidrValue, ip: IpValue): boolean => cidr.contains(ip);
const containsCidr = (cidr: CidrValue, inner: CidrValue): boolean => inner.bits >= cidr.bits && cidr.contains(inner.ip);
const parsing =
  <T extends Value>(parse: (text: string) => T | CelError, test: (cidr: CidrValue, value: T) => boolean) =>
  (cidr: CidrValue, text: string): Value => {
    const value = parse(text);
    return value instanceof CelError ? noSuchOverload() : test(cidr, value);
  };

const predicate = (id: string, test: (ip: IpValue) => boolean) => [member(id, '(IP) bool', test)];

export const ADDRESSES: Library = {
  ip: [global('string_to_ip', '(string) IP', parseIp), member('cidr_ip', '(CIDR) IP', ({ ip }: CidrValue) => ip)],
  isIP: [global('is_ip', '(string) bool', parses(parseIp))],
  'ip.isCanonical': [global('ip_is_canonical', '(string) bool', isCanonical)],
  family: [member('ip_family', '(IP) int', ({ family }: IpValue) => family)],
  isUnspecified: predicate('ip_is_unspecified', isUnspecified),
  isLoopback: predicate('ip_is_loopback', isLoopback),
  isLinkLocalMulticast: predicate('ip_is_link_local_multicast', isLinkLocalMulticast),
  isLinkLocalUnicast: predicate('ip_is_link_local_unicast', isLinkLocalUnicast),
  isGlobalUnicast: predicate('ip_is_global_unicast', isGlobalUnicast),
  cidr: [global('string_to_cidr', '(string) CIDR', parseCidr)],
  isCIDR: [global('is_cidr', '(string) bool', parses(parseCidr))],
  containsIP: [
    member('cidr_contains_ip_string', '(CIDR, string) bool', parsing(parseIp, containsIp)),
    member('cidr_contains_ip_ip', '(CIDR, IP) bool', containsIp),
  ],
  containsCIDR: [
    member('cidr_contains_cidr_string', '(CIDR, string) bool', parsing(parseCidr, containsCidr)),
    member('cidr_contains_cidr', '(CIDR, CIDR) bool', containsCidr),
  ],
  prefixLength: [member('cidr_prefix_length', '(CIDR) int', ({ bits }: CidrValue) => BigInt(bits))],
  masked: [
    member(
      'cidr_masked',
      '(CIDR) CIDR',
      ({ ip, bits }: CidrValue) => new CidrValue(new IpValue(masked(ip.bytes, bits)), bits),
    ),
  ],
  string: [global('ip_to_string', '(IP) string', String), global('cidr_to_string', '(CIDR) string', String)],
};
