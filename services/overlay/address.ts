/** IPv4 arithmetic for the overlay. Everything that reaches a command line has passed through here. */
import { isIPv4 } from 'node:net';

export interface Cidr {
  /** The network's own address, as `10.244.1.0`. */
  readonly network: string;
  readonly bits: number;
}

const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

const toAddress = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');

/** Undefined for what is not an IPv4 network: malformed, IPv6, or with bits set behind the prefix. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([0-9.]+)\/(\d{1,2})$/.exec(text);
  const network = match?.[1] ?? '';
  const bits = Number(match?.[2]);
  if (!isIPv4(network) || !(bits >= 1 && bits <= 32)) return undefined;
  const mask = (0xffffffff << (32 - bits)) >>> 0;
  return (toNumber(network) & mask) >>> 0 === toNumber(network) ? { network, bits } : undefined;
}

/** The first address of a network that a host may have: the pods' gateway. */
export const firstHost = (cidr: Cidr): string => toAddress(toNumber(cidr.network) + 1);

/**
 * The hardware address of a node's VXLAN device, derived from its IP: no exchange, no race between a node that
 * registers and its peers, and the same after a restart. `0e` marks it as locally administered.
 */
export function vtepMac(address: string): string {
  const hex = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['0e', '4e', ...hex].join(':');
}
