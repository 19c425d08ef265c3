/** The answer to a put, written by hand: the hottest message of all is a header whose ids never change. */
import { PutResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';

const HEADER_FIELD = 0x0a;
const REVISION_FIELD = 0x18;

let prefix = Buffer.alloc(0);
let suffix = Buffer.alloc(0);
let prefixOf = { clusterId: -1n, memberId: -1n, raftTerm: -1 };

export function serializePutResponse(response: PutResponse): Buffer {
  const { header, prevKv } = response;
  if (header === undefined || prevKv !== undefined || header.revision <= 0)
    return Buffer.from(PutResponse.encode(response).finish());
  if (
    header.clusterId !== prefixOf.clusterId ||
    header.memberId !== prefixOf.memberId ||
    header.raftTerm !== prefixOf.raftTerm
  )
    learn(header);
  const revisionLength = varintLength(header.revision);
  const length = prefix.length + 1 + revisionLength + suffix.length;
  // One byte of length: ids take at most 22 bytes, revision and term at most 18.
  const bytes = Buffer.allocUnsafe(2 + length);
  bytes[0] = HEADER_FIELD;
  bytes[1] = length;
  bytes.set(prefix, 2);
  let at = 2 + prefix.length;
  bytes[at++] = REVISION_FIELD;
  let rest: number = header.revision;
  while (rest >= 128) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  bytes.set(suffix, at);
  return bytes;
}

/** Encodes the ids and the term once, by the generated code: what stands before the revision and what after it. */
function learn(header: NonNullable<PutResponse['header']>): void {
  const body = (part: Partial<typeof header>) =>
    Buffer.from(
      PutResponse.encode({
        header: { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0, ...part },
        prevKv: undefined,
      }).finish(),
    ).subarray(2);
  prefix = body({ clusterId: header.clusterId, memberId: header.memberId });
  suffix = body({ raftTerm: header.raftTerm });
  prefixOf = { clusterId: header.clusterId, memberId: header.memberId, raftTerm: header.raftTerm };
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}
