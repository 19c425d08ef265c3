/**
 * Issue 6, "what must hold" of `make flood`: long answers are bytes from the thread that reads them to the connection.
 */
import { describe, expect, it } from 'vitest';
import {
  DeleteRangeResponse,
  RangeResponse,
  RangeStreamResponse,
  TxnResponse,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { KeyValue as EtcdKeyValue } from '../../../proto/gen/etcd/mvccpb/kv.js';
import { decodeKvs, decodeTxn, encodeKvs, encodeRange, encodeTxn, KVS_FIELD, PAGE_KVS } from './encoded-kvs.js';
import { revisionOf } from '../errors.js';
import { deleteAnswer, rangeAnswer, rangeAnswers, serializeAnswer, txnAnswer } from '../etcd/answers.js';
import { fromKeyValue } from '../etcd/convert.js';
import type { KvTxnResult } from './operations.js';
import type { KeyValue } from '../store.js';

const NUMBERS = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 35 + 1, Number.MAX_SAFE_INTEGER];
const LEASES = [0n, 1n, 127n, 128n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n, -1n, -(2n ** 63n)];
const LENGTHS = [0, 1, 127, 128, 300];

const kvOf = (i: number): KeyValue => {
  const pick = <T>(of: readonly T[]): T => of[i % of.length] as T;
  return {
    key: Buffer.alloc(pick(LENGTHS), i),
    value: Buffer.alloc(LENGTHS[(i + 1) % LENGTHS.length] ?? 0, i + 1),
    createRevision: revisionOf(pick(NUMBERS)),
    modRevision: revisionOf(NUMBERS[(i + 3) % NUMBERS.length] ?? 0),
    version: NUMBERS[(i + 7) % NUMBERS.length] ?? 0,
    lease: pick(LEASES),
  };
};
const many = (count: number) => Array.from({ length: count }, (_, i) => kvOf(i));
const small = (count: number): KeyValue[] =>
  Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key${i}`),
    value: Buffer.from('v'),
    createRevision: revisionOf(i + 1),
    modRevision: revisionOf(i + 2),
    version: 1,
    lease: 0n,
  }));
const header = { clusterId: 7n, memberId: 2n ** 63n, revision: 9, raftTerm: 3 };

describe('encoded keys and values', () => {
  it('are what the generated code reads, whatever numbers, leases and lengths they have', () => {
    for (const kv of many(90)) {
      const [page] = encodeKvs([kv], KVS_FIELD.range);
      expect(RangeResponse.decode(page?.bytes ?? Buffer.alloc(0)).kvs).toEqual([
        EtcdKeyValue.fromPartial(fromKeyValue(kv)),
      ]);
    }
  });

  it('are read back as they were', () => {
    for (const count of [0, 1, PAGE_KVS, PAGE_KVS + 1]) {
      const kvs = small(count);
      const pages = encodeKvs(kvs, KVS_FIELD.delete);
      expect(pages.map((page) => page.count).reduce((a, b) => a + b, 0)).toBe(count);
      expect(decodeKvs(pages)).toEqual(kvs);
    }
    expect(decodeKvs(encodeKvs(many(90), KVS_FIELD.range))).toEqual(many(90));
  });
});

describe('answers out of them', () => {
  const kvs = small(2 * PAGE_KVS + 3);
  const wire = kvs.map(fromKeyValue);

  it('a range', () => {
    const range = encodeRange({ kvs, count: 5000, more: true, revision: revisionOf(9) });
    expect(RangeResponse.decode(serializeAnswer(rangeAnswer(range, header)))).toEqual({
      header,
      kvs: wire,
      count: 5000,
      more: true,
    });
    const none = encodeRange({ kvs: [], count: 0, more: false, revision: revisionOf(9) });
    expect(RangeResponse.decode(serializeAnswer(rangeAnswer(none, header)))).toEqual({
      header,
      kvs: [],
      count: 0,
      more: false,
    });
  });

  it('a range as a stream: each message has the header, the last alone the count', () => {
    const messages = [
      ...rangeAnswers(encodeRange({ kvs, count: 5000, more: true, revision: revisionOf(9) }), header),
    ].map((answer) => RangeStreamResponse.decode(serializeAnswer(answer)).rangeResponse);
    expect(messages.flatMap((message) => message?.kvs ?? [])).toEqual(wire);
    expect(messages.map((message) => [message?.header, message?.more, message?.count])).toEqual([
      [header, false, 0],
      [header, false, 0],
      [header, true, 5000],
    ]);
    expect([
      ...rangeAnswers(encodeRange({ kvs: [], count: 0, more: false, revision: revisionOf(9) }), header),
    ]).toHaveLength(1);
  });

  it('what a deletion took away', () => {
    expect(
      DeleteRangeResponse.decode(
        serializeAnswer(deleteAnswer({ deleted: kvs.length, prevKvs: encodeKvs(kvs, KVS_FIELD.delete) }, header)),
      ),
    ).toEqual({ header, deleted: kvs.length, prevKvs: wire });
  });

  it('a transaction, nested too, with the revision that each operation saw', () => {
    const [first] = kvs;
    const range = { kind: 'range', range: { kvs, count: kvs.length, more: false, revision: revisionOf(9) } } as const;
    const inner: KvTxnResult = {
      succeeded: false,
      revision: revisionOf(9),
      results: [{ kind: 'delete', deleted: 2, prevKvs: kvs.slice(0, 2) }, range],
    };
    const txn: KvTxnResult = {
      succeeded: true,
      revision: revisionOf(9),
      results: [
        range,
        { kind: 'txn', txn: inner },
        { kind: 'put' },
        { kind: 'put', ...(first === undefined ? {} : { prevKv: first }) },
      ],
    };
    expect(decodeTxn(encodeTxn(txn))).toEqual(txn);
    const at = (revision: number) => ({ clusterId: 0n, memberId: 0n, revision, raftTerm: 0 });
    const found = (revision: number) => ({
      response: { $case: 'responseRange', value: { header: at(revision), kvs: wire, count: kvs.length, more: false } },
    });
    expect(TxnResponse.decode(serializeAnswer(txnAnswer(encodeTxn(txn), header)))).toEqual({
      header,
      succeeded: true,
      responses: [
        found(8),
        {
          response: {
            $case: 'responseTxn',
            value: {
              header: at(0),
              succeeded: false,
              responses: [
                {
                  response: {
                    $case: 'responseDeleteRange',
                    value: { header: at(9), deleted: 2, prevKvs: wire.slice(0, 2) },
                  },
                },
                found(9),
              ],
            },
          },
        },
        { response: { $case: 'responsePut', value: { header: at(9), prevKv: undefined } } },
        { response: { $case: 'responsePut', value: { header: at(9), prevKv: wire[0] } } },
      ],
    });
  });
});
