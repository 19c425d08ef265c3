/**
 * Clients of etcd's API: each does one thing after another on whatever member it likes, and writes down what it asked
 * and what it was told. Keys below `/chaos/r/` are registers, changed by single operations; those below `/chaos/t/` by
 * transactions of several. Registers are given up after a while for fresh ones: a history with many calls of unknown
 * outcome is hard to judge.
 */
import { systemClock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  TxnRequest,
  type RangeResponse,
  type RequestOp,
  type TxnResponse,
} from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { answerOfRange } from '../../raft/sim/check/index.js';
import type { Chronicle } from './chronicle.js';
import type { EtcdClient, Outcome } from './etcd-client.js';
import type { Fleet } from './fleet.js';
import { keyValueOf } from './follow.js';
import type { Histories } from './histories.js';
import type { Verdict } from './verdict.js';

const REGISTERS = 5;
const TXN_KEYS = 6;
const OPERATIONS_PER_REGISTER = 120;
/** History that is kept at least, behind whoever still reads. */
const COMPACTION_MARGIN = 200;
const THINK_MS = 24;

const bytes = (text: string) => Buffer.from(text, 'latin1');
const text = (buffer: Uint8Array) => Buffer.from(buffer).toString('latin1');
const firstOf = ({ kvs }: RangeResponse) => (kvs[0] === undefined ? null : text(kvs[0].value));
const putOp = (key: string, value: string): RequestOp => ({
  request: {
    $case: 'requestPut',
    value: { key: bytes(key), value: bytes(value), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false },
  },
});
const deleteOp = (key: string): RequestOp => ({
  request: { $case: 'requestDeleteRange', value: { key: bytes(key), rangeEnd: Buffer.alloc(0), prevKv: false } },
});

export interface ClientParts {
  readonly fleet: Fleet;
  readonly histories: Histories;
  readonly chronicle: Chronicle;
  readonly verdict: Verdict;
  /** Who still reads history: nothing from this revision on is compacted. */
  readonly readFrom: () => number;
}

export class EtcdClients {
  readonly #parts: ClientParts;
  readonly #running: Promise<void>[] = [];
  #operations = 0;
  #isOver = false;

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  start(count: number, randomFor: (client: number) => Random): void {
    for (let i = 0; i < count; i++) this.#running.push(this.#run(randomFor(i)).catch(this.#parts.verdict.caught));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  /** One write through this member. */
  async probe(client: EtcdClient, random: Random): Promise<boolean> {
    return (await this.#put(client, this.#register(random))).kind === 'ok';
  }

  async #run(random: Random): Promise<void> {
    const { members } = this.#parts.fleet;
    const { signal } = this.#parts.verdict;
    while (!this.#isOver && !signal.aborted) {
      await systemClock.sleep(2 * THINK_MS * random.next());
      const member = members[random.int(members.length)];
      if (member !== undefined) await this.#act(member.client, random);
    }
  }

  #register(random: Random): string {
    const generation = Math.floor(this.#operations++ / (REGISTERS * OPERATIONS_PER_REGISTER));
    return `/chaos/r/${generation}-${random.int(REGISTERS)}`;
  }

  async #act(client: EtcdClient, random: Random): Promise<void> {
    const key = this.#register(random);
    const choice = random.int(1000);
    if (choice < 350) await this.#put(client, key);
    else if (choice < 560) await this.#get(client, key);
    else if (choice < 610) await this.#delete(client, key);
    else if (choice < 740) await this.#swap(client, key);
    else if (choice < 900) await this.#txn(client, random);
    else if (choice < 996) await this.#range(client, random);
    else await this.#compact(client);
  }

  #wrote(
    outcome: Outcome<{ readonly header: { readonly revision: number } | undefined }>,
    before: number,
    writes: readonly { key: string; value: string }[],
  ): void {
    if (outcome.kind !== 'ok') return;
    const revision = outcome.value.header?.revision ?? 0;
    this.#parts.histories.answered(before, revision, true);
    for (const write of writes) this.#parts.histories.wrote({ ...write, revision });
  }

  async #put(client: EtcdClient, key: string): Promise<Outcome<unknown>> {
    const { histories } = this.#parts;
    const value = histories.freshValue();
    const before = histories.revisionSeen;
    const outcome = await histories.register(
      key,
      { kind: 'put', value },
      { work: () => client.put({ key: bytes(key), value: bytes(value) }), told: () => true },
    );
    this.#wrote(outcome, before, [{ key, value }]);
    return outcome;
  }

  async #get(client: EtcdClient, key: string): Promise<void> {
    const { histories } = this.#parts;
    const before = histories.revisionSeen;
    const outcome = await histories.register(
      key,
      { kind: 'get' },
      { work: () => client.range({ key: bytes(key) }), told: firstOf },
    );
    if (outcome.kind === 'ok') histories.answered(before, outcome.value.header?.revision ?? 0, false);
  }

  async #delete(client: EtcdClient, key: string): Promise<void> {
    const work = () => client.txn(TxnRequest.fromPartial({ success: [deleteOp(key)] }));
    const deleted = ({ responses }: TxnResponse) => {
      const answer = responses[0]?.response;
      return answer?.$case === 'responseDeleteRange' && answer.value.deleted > 0;
    };
    await this.#parts.histories.register(key, { kind: 'delete' }, { work, told: deleted });
  }

  async #swap(client: EtcdClient, key: string): Promise<void> {
    const { histories } = this.#parts;
    const seen = await client.range({ key: bytes(key), serializable: true });
    const kv = seen.kind === 'ok' ? seen.value.kvs[0] : undefined;
    if (kv === undefined) return;
    const value = histories.freshValue();
    const before = histories.revisionSeen;
    const compare = {
      key: bytes(key),
      result: Compare_CompareResult.EQUAL,
      target: Compare_CompareTarget.VALUE,
      targetUnion: { $case: 'value' as const, value: kv.value },
    };
    const work = () => client.txn(TxnRequest.fromPartial({ compare: [compare], success: [putOp(key, value)] }));
    const outcome = await histories.register(
      key,
      { kind: 'swap', expected: text(kv.value), value },
      { work, told: ({ succeeded }) => succeeded },
    );
    if (outcome.kind === 'ok' && outcome.value.succeeded) this.#wrote(outcome, before, [{ key, value }]);
    else if (outcome.kind === 'ok') histories.refused(value, 'not swapped');
  }

  /** Two keys in one revision: both or none. */
  async #txn(client: EtcdClient, random: Random): Promise<void> {
    const { histories } = this.#parts;
    const first = random.int(TXN_KEYS);
    const second = (first + 1 + random.int(TXN_KEYS - 1)) % TXN_KEYS;
    const writes = [first, second].map((n) => ({ key: `/chaos/t/${n}`, value: histories.freshValue() }));
    const before = histories.revisionSeen;
    const outcome = await client.txn(
      TxnRequest.fromPartial({ success: writes.map(({ key, value }) => putOp(key, value)) }),
    );
    histories.count(outcome);
    if (outcome.kind === 'refused') for (const { value } of writes) histories.refused(value, outcome.why);
    this.#wrote(outcome, before, writes);
  }

  async #range(client: EtcdClient, random: Random): Promise<void> {
    const { histories, chronicle } = this.#parts;
    const serializable = random.int(2) === 0;
    const request = { key: bytes('/chaos/t/'), rangeEnd: bytes('/chaos/t0'), serializable, limit: random.int(3) };
    const before = histories.revisionSeen;
    const outcome = await client.range({ ...request, limit: BigInt(request.limit) });
    histories.count(outcome);
    if (outcome.kind !== 'ok') return;
    const { header, kvs, count } = outcome.value;
    const revision = header?.revision ?? 0;
    if (!serializable) histories.answered(before, revision, false);
    histories.read({
      what: serializable ? 'a serializable range' : 'a range',
      revision,
      actual: answerOfRange({ count, kvs: kvs.map(keyValueOf) }),
      expected: () => chronicle.model.rangeAt(request, revision),
    });
  }

  async #compact(client: EtcdClient): Promise<void> {
    const { model } = this.#parts.chronicle;
    const revision = this.#parts.readFrom() - COMPACTION_MARGIN;
    if (revision <= model.compactRevision) return;
    // Whatever the answer: it may have happened.
    model.compactRevision = revision;
    await client.compact(revision);
  }
}
