/**
 * Issue 6, row 31 and the aims of `make flood`: requests are refused by their bytes, before there is an object for each
 * operation.
 */
import { describe, expect, it } from 'vitest';
import { PutRequest, TxnRequest } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { RequestOp } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { LIMITS } from '../limits.js';
import { EtcdError } from './errors.js';
import { kvDefinition } from './kv.js';
import { RefusedRequest, refusalOfTxn, withLimits } from './requests.js';

const put = (): RequestOp => ({
  request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: Buffer.from('k') }) },
});
const puts = (count: number) => Array.from({ length: count }, put);
const nested = (txn: Partial<TxnRequest>): RequestOp => ({
  request: { $case: 'requestTxn', value: TxnRequest.fromPartial(txn) },
});
const bytesOf = (txn: Partial<TxnRequest>) => Buffer.from(TxnRequest.encode(TxnRequest.fromPartial(txn)).finish());
const compares = (count: number) => Array.from({ length: count }, () => ({ key: Buffer.from('k') }));
const tree = (width: number, depth: number): Partial<TxnRequest> => ({
  success: Array.from({ length: width }, () => (depth === 0 ? put() : nested(tree(width, depth - 1)))),
});
const chain = (depth: number): Partial<TxnRequest> => ({ failure: [depth === 0 ? put() : nested(chain(depth - 1))] });

describe('a transaction is looked at before it is read', () => {
  it.each<[string, Partial<TxnRequest>, string | undefined]>([
    ['nothing', {}, undefined],
    [
      'as many as may be, in each list',
      { compare: compares(128) as TxnRequest['compare'], success: puts(128), failure: puts(128) },
      undefined,
    ],
    ['one put too many', { success: puts(129) }, 'etcdserver: too many operations in txn request'],
    ['one too many in the other branch', { failure: puts(129) }, 'etcdserver: too many operations in txn request'],
    [
      'one guard too many',
      { compare: compares(129) as TxnRequest['compare'] },
      'etcdserver: too many operations in txn request',
    ],
    [
      'one inside too many',
      { success: [nested({ success: puts(129) })] },
      'etcdserver: too many operations in txn request',
    ],
    ['few on each level, and too many in all', tree(10, 3), 'etcdserver: too many operations in txn request'],
    ['as deep as may be', chain(LIMITS.txnDepth), undefined],
    ['deeper', chain(LIMITS.txnDepth + 1), 'etcdserver: transactions are nested too deep'],
    ['much deeper', chain(1000), 'etcdserver: transactions are nested too deep'],
  ])('%s', (_name, txn, message) => {
    const refusal = refusalOfTxn(bytesOf(txn), 128);
    expect(refusal instanceof EtcdError ? refusal.details : refusal?.message).toBe(message);
  });

  it('what is not protobuf is for the reader to say', () => {
    for (const bytes of [
      [0x12, 0xff],
      [0x12, 0x05, 0x22, 0xff, 0xff, 0xff, 0x7f],
      [0xff, 0xff],
      [0x0b, 0x0c],
    ])
      expect(refusalOfTxn(Buffer.from(bytes), 128)).toBe(undefined);
  });
});

describe('a request beyond the limits', () => {
  const definition = withLimits(kvDefinition, { request_bytes: LIMITS.request_bytes, txnOps: 128 });
  const read = (name: 'put' | 'txn', bytes: Buffer) => definition[name]?.requestDeserialize(bytes) as unknown;

  it("is refused in its place, in etcd's words", () => {
    const large = Buffer.from(
      PutRequest.encode(
        PutRequest.fromPartial({ key: Buffer.from('k'), value: Buffer.alloc(2 * 1024 * 1024) }),
      ).finish(),
    );
    const refused = read('put', large);
    expect(
      refused instanceof RefusedRequest ? [(refused.error as EtcdError).code, refused.error.message] : refused,
    ).toEqual([8, `grpc: received message larger than max (${large.length} vs. 2097152)`]);
    expect(read('txn', bytesOf({ success: puts(129) }))).toBeInstanceOf(RefusedRequest);
  });

  it('and within them is read as ever', () => {
    const txn = TxnRequest.fromPartial({ success: puts(128) });
    expect(read('txn', bytesOf(txn))).toEqual(txn);
    expect(
      read('put', Buffer.from(PutRequest.encode(PutRequest.fromPartial({ key: Buffer.from('k') })).finish())),
    ).toEqual(PutRequest.fromPartial({ key: Buffer.from('k') }));
  });

  it('a hundred thousand operations cost a tenth, at most, of what it takes to read them', () => {
    const bytes = bytesOf({ success: puts(100_000) });
    const best = (run: () => unknown) =>
      Math.min(
        ...[0, 1, 2].map(() => {
          const before = process.cpuUsage();
          run();
          const { user, system } = process.cpuUsage(before);
          return user + system;
        }),
      );
    expect(best(() => refusalOfTxn(bytes, 128))).toBeLessThan(best(() => TxnRequest.decode(bytes)) / 10);
  });
});
