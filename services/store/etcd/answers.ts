/**
 * Answers with lists in them, put together from bytes: the lists come encoded from the thread that read them, and only
 * what stands around them is written here. What is sent depends on none of the keys, however many there are. Fields may
 * come in any order.
 */
import {
  DeleteRangeResponse,
  RangeResponse,
  ResponseOp,
  TxnResponse,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { ResponseHeader } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { ByteWriter } from '../bytes.js';
import type { EncodedKvs, EncodedRange, EncodedTxn, Releasable } from '../mvcc/encoded-kvs.js';
import type { KvOpResultOf } from '../mvcc/operations.js';
import { fromKeyValue } from './convert.js';

/** One message, in parts. */
export interface Answer extends Releasable {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
}

export function serializeAnswer({ parts, bytes }: Answer): Buffer {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  return Buffer.concat(parts, bytes);
}

const answerOf = (parts: readonly Uint8Array[]): Answer => ({
  parts,
  bytes: parts.reduce((sum, { length }) => sum + length, 0),
});

const withKvs = (head: Uint8Array, kvs: EncodedKvs): Answer => answerOf([head, ...kvs.map(({ bytes }) => bytes)]);

type Counted = Pick<EncodedRange, 'kvs' | 'more' | 'count' | 'release'>;

export const rangeAnswer = ({ kvs, more, count, release }: Counted, header: ResponseHeader | undefined): Answer => ({
  ...withKvs(RangeResponse.encode({ header, kvs: [], more, count }).finish(), kvs),
  release,
});

export const deleteAnswer = (
  { deleted, prevKvs }: { readonly deleted: number; readonly prevKvs: EncodedKvs },
  header: ResponseHeader | undefined,
): Answer => withKvs(DeleteRangeResponse.encode({ header, deleted, prevKvs: [] }).finish(), prevKvs);

/** A range as messages of a stream; the last alone says how many there are. */
export function* rangeAnswers({ kvs, more, count }: Counted, header: ResponseHeader): Generator<Answer> {
  const last = Math.max(kvs.length - 1, 0);
  for (let at = 0; at <= last; at++) {
    const isLast = at === last;
    yield within(
      STREAMED_RANGE,
      rangeAnswer({ kvs: kvs.slice(at, at + 1), more: isLast && more, count: isLast ? count : 0 }, header),
    );
  }
}

/**
 * Answers inside carry a revision and nothing else in their headers, and those of transactions not even that, as etcd's
 * do.
 */
export function txnAnswer(result: EncodedTxn, header: ResponseHeader | undefined): Answer {
  const wrote = result.results.some(hasWritten);
  // What an operation sees: the revision before the transaction until something is written, then the transaction's own.
  const seen = { now: wrote ? result.revision - 1 : result.revision, own: result.revision };
  return { ...transaction(result, header, seen), release: result.release };
}

interface Seen {
  now: number;
  readonly own: number;
}

function transaction(
  { succeeded, results }: Pick<EncodedTxn, 'succeeded' | 'results'>,
  header: ResponseHeader | undefined,
  seen: Seen,
): Answer {
  const parts: Uint8Array[] = [TxnResponse.encode({ header, succeeded, responses: [] }).finish()];
  for (const result of results) parts.push(...within(RESPONSES, operation(result, seen)).parts);
  return answerOf(parts);
}

// Numbers of fields: TxnResponse.responses, those of ResponseOp, RangeStreamResponse.range_response.
const RESPONSES = 3;
const RESPONSE_OP = { range: 1, delete: 3, txn: 4 } as const;
const STREAMED_RANGE = 1;

const hasWritten = (result: KvOpResultOf<EncodedKvs>): boolean =>
  result.kind === 'put' ||
  (result.kind === 'delete' && result.deleted > 0) ||
  (result.kind === 'txn' && result.txn.results.some(hasWritten));

const innerHeader = (revision: number): ResponseHeader => ({ clusterId: 0n, memberId: 0n, revision, raftTerm: 0 });

function operation(result: KvOpResultOf<EncodedKvs>, seen: Seen): Answer {
  if (result.kind !== 'txn' && hasWritten(result)) seen.now = seen.own;
  const header = innerHeader(seen.now);
  switch (result.kind) {
    case 'put': {
      const prevKv = result.prevKv === undefined ? undefined : fromKeyValue(result.prevKv);
      return answerOf([ResponseOp.encode({ response: { $case: 'responsePut', value: { header, prevKv } } }).finish()]);
    }
    case 'delete':
      return within(RESPONSE_OP.delete, deleteAnswer(result, header));
    case 'range':
      return within(RESPONSE_OP.range, rangeAnswer(result.range, header));
    case 'txn':
      return within(RESPONSE_OP.txn, transaction(result.txn, innerHeader(0), seen));
    default:
      return result satisfies never;
  }
}

/** As a field of another message. */
function within(field: number, { parts, bytes }: Answer): Answer {
  const head = new ByteWriter(9)
    .u8((field << 3) | 2)
    .varint(bytes)
    .take();
  return { parts: [head, ...parts], bytes: head.length + bytes };
}
