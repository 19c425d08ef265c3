/**
 * DNS messages on the wire (RFC 1035, EDNS0 RFC 6891): strict on what comes in, and no larger going out than asked for.
 */
import {
  AUTHORITATIVE_ANSWER,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  decode,
  encode,
} from 'dns-packet';
import type { Answer, Packet, Question } from 'dns-packet';

export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
export type Rcode = (typeof RCODE)[keyof typeof RCODE];

const HEADER_BYTES = 12;
const UDP_BYTES_DEFAULT = 512;
/**
 * No answer over UDP is larger, whatever the client takes: this passes any path without fragments (DNS Flag Day 2020).
 */
const UDP_BYTES_MAX = 1232;
const TCP_BYTES_MAX = 65_535;

export interface Query {
  readonly id: number;
  readonly question: Question;
  readonly recursionDesired: boolean;
  /** The client speaks EDNS: so must the answer. */
  readonly edns: boolean;
  /** Largest answer, in bytes. */
  readonly limit: number;
}

export type Incoming =
  | { readonly kind: 'query'; readonly query: Query }
  /** Understood as a query, but not one that is answered. */
  | { readonly kind: 'refused'; readonly id: number; readonly rcode: Rcode }
  /** No query at all: an answer to it would only help whoever forges packets. */
  | { readonly kind: 'ignored' };

export function parseQuery(bytes: Buffer, transport: 'udp' | 'tcp'): Incoming {
  if (bytes.length < HEADER_BYTES) return { kind: 'ignored' };
  const flags = bytes.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return { kind: 'ignored' };
  const id = bytes.readUInt16BE(0);
  if (((flags >> 11) & 0xf) !== 0) return { kind: 'refused', id, rcode: RCODE.NOTIMP };
  // A query has one question and at most a few additional records: do not even look at others.
  if (
    bytes.readUInt16BE(4) !== 1 ||
    bytes.readUInt16BE(6) !== 0 ||
    bytes.readUInt16BE(8) !== 0 ||
    bytes.readUInt16BE(10) > 4
  ) {
    return { kind: 'refused', id, rcode: RCODE.FORMERR };
  }
  let packet: Packet;
  try {
    packet = decode(bytes);
  } catch {
    return { kind: 'ignored' };
  }
  const question = packet.questions?.[0];
  if (question === undefined) return { kind: 'ignored' };
  if (question.class !== undefined && question.class !== 'IN') return { kind: 'refused', id, rcode: RCODE.REFUSED };
  const opt = packet.additionals?.find((record) => record.type === 'OPT');
  const asked = opt?.type === 'OPT' ? opt.udpPayloadSize : UDP_BYTES_DEFAULT;
  const limit = transport === 'tcp' ? TCP_BYTES_MAX : Math.min(Math.max(asked, UDP_BYTES_DEFAULT), UDP_BYTES_MAX);
  return {
    kind: 'query',
    query: { id, question, recursionDesired: (flags & RECURSION_DESIRED) !== 0, edns: opt !== undefined, limit },
  };
}

export interface Response {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
}

/** An answer that fits. First the additional records go, then all go and the client is told to ask again over TCP. */
export function encodeResponse(query: Query, response: Response): Buffer {
  const opt: Answer[] = query.edns
    ? [
        {
          name: '.',
          type: 'OPT',
          udpPayloadSize: UDP_BYTES_MAX,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ]
    : [];
  const flags =
    (response.authoritative ? AUTHORITATIVE_ANSWER : 0) |
    (query.recursionDesired ? RECURSION_DESIRED : 0) |
    RECURSION_AVAILABLE |
    response.rcode;
  const build = (more: {
    flags?: number;
    answers?: readonly Answer[];
    authorities?: readonly Answer[];
    additionals?: readonly Answer[];
  }) =>
    encode({
      type: 'response',
      id: query.id,
      flags: flags | (more.flags ?? 0),
      questions: [query.question],
      answers: [...(more.answers ?? [])],
      authorities: [...(more.authorities ?? [])],
      additionals: [...(more.additionals ?? []), ...opt],
    });
  const full = build(response);
  if (full.length <= query.limit) return full;
  const { additionals: _, ...essential } = response;
  const bare = build(essential);
  return bare.length <= query.limit ? bare : build({ flags: TRUNCATED_RESPONSE });
}

/** A header alone, for queries whose question is not worth repeating. */
export function encodeRefusal(id: number, rcode: Rcode): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(0x8000 | rcode, 2);
  return bytes;
}
