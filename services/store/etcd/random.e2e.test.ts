/**
 * Transactions, puts, ranges, deletes, compactions and leases at random, asked of etcd and of ours, with a watch that
 * tells what became of it. Of two operations of which one deletes from a key on what the other puts, ours finds more:
 * etcd takes such an interval for an empty one.
 */
import fc from 'fast-check';
import { RangeRequest } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type {
  Compare,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RequestOp,
  TxnRequest,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { sideBySide } from './testing/side-by-side.js';
import { bytes, ops } from './testing/subject.js';
import type { Plain, Subject } from './testing/subject.js';

interface Guard {
  readonly key: string;
  readonly rangeEnd: string;
  readonly result: Compare['result'];
  readonly target: Compare['target'];
  readonly number: number;
  readonly value: string;
}
interface Txn {
  readonly compare: readonly Guard[];
  readonly success: readonly Op[];
  readonly failure: readonly Op[];
}
interface Put {
  readonly kind: 'put';
  readonly key: string;
  readonly value: string;
  readonly more: {
    readonly lease: bigint;
    readonly prevKv: boolean;
    readonly ignoreValue: boolean;
    readonly ignoreLease: boolean;
  };
}
interface Range {
  readonly kind: 'range';
  readonly key: string;
  readonly rangeEnd: string;
  readonly limit: bigint;
  readonly countOnly: boolean;
  readonly keysOnly: boolean;
  readonly sortOrder: RangeRequest_SortOrder;
  readonly sortTarget: RangeRequest_SortTarget;
  /** Distances from the newest revision; 0: none is named. */
  readonly revision: number;
  readonly minModRevision: number;
  readonly maxModRevision: number;
}
interface Delete {
  readonly kind: 'delete';
  readonly key: string;
  readonly rangeEnd: string;
  readonly prevKv: boolean;
}
type Op = Put | Range | Delete | { readonly kind: 'txn'; readonly txn: Txn };
type Step = Op | { readonly kind: 'compact' } | { readonly kind: 'lease'; readonly id: bigint };

const LEASES = [77n, 78n];
const TARGETS = ['version', 'createRevision', 'modRevision', 'value', 'lease'] as const;
/** One time in `out_of`. */
const rarely = (out_of: number) => fc.nat(out_of - 1).map((one) => one === 0);

const key = fc.constantFrom('f/a', 'f/b', 'f/c', 'f/', 'f0', 'f/a\0', 'f/ab');
const rangeEnd = fc.constantFrom('', '', '', 'f0', 'f/b', 'f/c', 'f/', 'f/a');
const anyEnd = fc.oneof({ weight: 4, arbitrary: rangeEnd }, { weight: 1, arbitrary: fc.constant('\0') });
const value = fc.constantFrom('', 'x', 'y', 'zz');
const distance = fc.constantFrom(0, 0, 0, -1, -3);
const put: fc.Arbitrary<Put> = fc.record({
  kind: fc.constant('put'),
  key,
  value,
  more: fc.record({
    lease: fc.constantFrom(0n, 0n, 0n, ...LEASES, 99n),
    prevKv: fc.boolean(),
    ignoreValue: rarely(4),
    ignoreLease: rarely(4),
  }),
});
const range: fc.Arbitrary<Range> = fc.record({
  kind: fc.constant('range'),
  key,
  rangeEnd: anyEnd,
  limit: fc.constantFrom(0n, 0n, 1n, 2n, -1n),
  countOnly: fc.boolean(),
  keysOnly: fc.boolean(),
  sortOrder: fc.constantFrom(0, 1, 2),
  sortTarget: fc.constantFrom(0, 0, 1, 2, 3, 4),
  revision: fc.oneof(distance, fc.constant(2)),
  minModRevision: distance,
  maxModRevision: distance,
});
const remove: fc.Arbitrary<Delete> = fc.record({ kind: fc.constant('delete'), key, rangeEnd, prevKv: fc.boolean() });
const guard: fc.Arbitrary<Guard> = fc.record({
  key,
  rangeEnd: anyEnd,
  result: fc.constantFrom(0, 1, 2, 3),
  target: fc.constantFrom(0, 1, 2, 3, 4),
  number: fc.nat(2),
  value,
});
const { op } = fc.letrec<{ op: Op; txn: Txn }>((tie) => ({
  op: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    put,
    range,
    remove,
    fc.record({ kind: fc.constant('txn' as const), txn: tie('txn') }),
  ),
  txn: fc.record({
    compare: fc.array(guard, { maxLength: 2 }),
    success: fc.array(tie('op'), { maxLength: 3 }),
    failure: fc.array(tie('op'), { maxLength: 3 }),
  }),
}));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: op },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lease'), id: fc.constantFrom(...LEASES) }) },
);

/** Asks one of the two servers; `#now` is its newest revision. */
class Asker {
  readonly #s: Subject;
  #now = 0;

  constructor(s: Subject) {
    this.#s = s;
  }

  async ask(one: Step): Promise<Plain> {
    const s = this.#s;
    this.#now = (await s.call(s.kv, s.kv.range, RangeRequest.fromPartial({ key: bytes('now') }))).header?.revision ?? 0;
    switch (one.kind) {
      case 'put':
        return s.put(one.key, one.value, one.more);
      case 'range':
        return s.range(one.key, this.#range(one));
      case 'delete':
        return s.del(one.key, { rangeEnd: bytes(one.rangeEnd), prevKv: one.prevKv });
      case 'txn':
        return s.txn(this.#txn(one.txn));
      case 'compact':
        return s.compact(this.#now - 3);
      case 'lease':
        return [
          await s.ask(s.lease, s.lease.leaseRevoke, { ID: one.id }),
          await s.ask(s.lease, s.lease.leaseGrant, { ID: one.id, TTL: 5000n }),
        ];
      default:
        return one satisfies never;
    }
  }

  #at(from: number): bigint {
    return from === 0 ? 0n : BigInt(this.#now + from);
  }

  #range({ kind: _kind, key: _key, rangeEnd: end, revision, minModRevision, maxModRevision, ...more }: Range) {
    return {
      ...more,
      rangeEnd: bytes(end),
      revision: this.#at(revision),
      minModRevision: this.#at(minModRevision),
      maxModRevision: this.#at(maxModRevision),
    };
  }

  #op(one: Op): RequestOp {
    switch (one.kind) {
      case 'put':
        return ops.put(one.key, one.value, one.more);
      case 'range':
        return ops.range(one.key, this.#range(one));
      case 'delete':
        return ops.del(one.key, { rangeEnd: bytes(one.rangeEnd), prevKv: one.prevKv });
      case 'txn':
        return ops.txn(this.#txn(one.txn));
      default:
        return one satisfies never;
    }
  }

  #txn({ compare, success, failure }: Txn): Partial<TxnRequest> {
    return {
      compare: compare.map((one) => this.#guard(one)),
      success: success.map((one) => this.#op(one)),
      failure: failure.map((one) => this.#op(one)),
    };
  }

  #guard({ key: of, rangeEnd: end, result, target, number, value: compared }: Guard): Compare {
    const $case = TARGETS[target] ?? 'version';
    const numbers = {
      version: BigInt(number),
      createRevision: this.#at(-number),
      modRevision: this.#at(-number),
      lease: LEASES[number] ?? 0n,
    };
    return {
      key: bytes(of),
      rangeEnd: bytes(end),
      result,
      target,
      targetUnion: $case === 'value' ? { $case, value: bytes(compared) } : { $case, value: numbers[$case] },
    };
  }
}

sideBySide('at random', { thread: true }, (same) => {
  for (const seed of [1, 2, 3]) {
    same(`seed ${seed}`, async (s) => {
      for (const ID of LEASES) await s.ask(s.lease, s.lease.leaseGrant, { ID, TTL: 5000n });
      // Distances reach back to revisions that there are.
      for (let i = 0; i < 8; i++) await s.put('f/a', 'x');
      await s.del('f/', { rangeEnd: bytes('f1') });
      await s.begin();
      const tape = s.openWatch();
      await tape.create({ key: bytes('f/'), rangeEnd: bytes('f1'), prevKv: true });
      const asker = new Asker(s);
      const told: Plain[] = [];
      for (const one of fc.sample(step, { seed, numRuns: 300 })) told.push([fc.stringify(one), await asker.ask(one)]);
      return [...told, await tape.tell()];
    });
  }
});
