/**
 * Which addresses a member may dial for others: those of other hosts. Not itself, its own link, a cloud's
 * metadata service, or a group (CVE-2020-8555, CVE-2022-3294, CVE-2025-13281; netip's IsGlobalUnicast, as
 * kube-apiserver checks pods and nodes). Pure.
 */
import { parseAddress } from '../../../apimachinery/kinds/lib/addresses.js';

/** Of clouds whose metadata service is outside of the link-local ranges. */
const METADATA = new Set(['100.100.100.200', '192.0.0.192', '168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254']);

/** The address in its canonical spelling; undefined when it is refused, or is not an address. */
export function dialable(text: string): string | undefined {
  const address = parseAddress(text);
  // Software differs in how it reads leading zeros: the address that is dialled may not be the one that was checked.
  if (address === undefined || address.doubt === 'leading zeros' || METADATA.has(address.text)) return undefined;
  const { bytes } = address;
  const allowed = address.family === 'IPv4' ? isUnicast4(bytes) : isUnicast6(bytes);
  return allowed ? address.text : undefined;
}

function isUnicast4([first = 0, second = 0]: readonly number[]): boolean {
  if (first === 0 || first === 127 || first >= 224) return false;
  return first !== 169 || second !== 254;
}

/** The IPv4 address inside, where a gateway or the kernel would take it out: it must be allowed too. */
const EMBEDDED: readonly { readonly prefix: readonly number[]; readonly at: number }[] = [
  { prefix: [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], at: 12 }, // NAT64, RFC 6052
  { prefix: [0x20, 0x02], at: 2 }, // 6to4, RFC 3056
];

function isUnicast6(bytes: readonly number[]): boolean {
  const [first = 0, second = 0] = bytes;
  // ::/96: the unspecified address, loopback, and IPv4-compatible addresses.
  if (first === 0xff || bytes.slice(0, 12).every((byte) => byte === 0)) return false;
  if (first === 0xfe && (second & 0xc0) !== 0x00) return false; // fe80::/10 link-local, fec0::/10 site-local, and the reserved range between
  return EMBEDDED.every(({ prefix, at }) => {
    if (!prefix.every((byte, index) => byte === bytes[index])) return true;
    const inner = bytes.slice(at, at + 4);
    return isUnicast4(inner) && !METADATA.has(inner.join('.'));
  });
}
