/**
 * Clients: each does one thing after another on whatever member it likes, through the store's own interface, and writes
 * down what it asked and what it was told. Every value is written once, so that an answer tells which write it saw.
 *
 * Keys below `r` are registers, changed by single operations alone: their histories go through the linearizability
 * checker. Keys below `t` are written by transactions, those below `l` hang on leases.
 */
import type { KvRange } from '../../../services/store/mvcc/operations.js';
import type { Op, Revision } from '../../../services/store/store.js';
import type { Ledger } from '../check/ledger.js';
import type { Operation, RegisterInput, RegisterOutput } from '../check/linearizability.js';
import { answerOfRange } from '../check/model.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Machine } from '../cluster/machine.js';
import type { World } from '../world/world.js';
import { call } from './calls.js';
import type { Outcome } from './calls.js';

const REGISTERS = 5;
const TXN_KEYS = 6;
const LEASE_KEYS = 4;
const LEASES_MAX = 6;

export type History = Map<string, Operation<RegisterInput, RegisterOutput>[]>;

export interface WorkloadParts {
  readonly world: World;
  readonly cluster: Cluster;
  readonly ledger: Ledger;
  readonly think_ms: number;
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

export class Clients {
  readonly history: History = new Map();
  readonly #parts: WorkloadParts;
  readonly #leases: bigint[] = [];
  #values = 0;
  #acknowledged = 0;
  #isOver = false;
  /** Revision of the newest answer to a write, and so of what every later read must see. */
  #revisionSeen = 0;

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  start(count: number): void {
    for (let i = 0; i < count; i++) this.#run().catch((error: unknown) => this.#parts.world.fail(error as Error));
  }

  stop(): void {
    this.#isOver = true;
  }

  /** One write through this member, as the liveness phase demands. */
  async probe(machine: Machine): Promise<boolean> {
    const outcome = await this.#put(machine, `r${this.#parts.world.random.int(REGISTERS)}`);
    return outcome.kind === 'ok';
  }

  async #run(): Promise<void> {
    const { world, cluster, think_ms } = this.#parts;
    while (!this.#isOver) {
      await world.sleep(2 * think_ms * world.random.next());
      const { machines } = cluster;
      const machine = machines[world.random.int(machines.length)];
      if (machine === undefined || machine.state !== 'running') continue;
      await this.#act(machine, world.random.int(100));
    }
  }

  async #act(machine: Machine, choice: number): Promise<void> {
    const { random } = this.#parts.world;
    const register = `r${random.int(REGISTERS)}`;
    if (choice < 25) await this.#put(machine, register);
    else if (choice < 50) await this.#get(machine, register);
    else if (choice < 55) await this.#delete(machine, register);
    else if (choice < 63) await this.#swap(machine, register);
    else if (choice < 76) await this.#txn(machine);
    else if (choice < 86) await this.#range(machine);
    else if (choice < 97) await this.#lease(machine);
    else await this.#compact(machine);
  }

  #value(): string {
    return `v${++this.#values}`;
  }

  /** Notes an operation on a register for the checker. `told` is undefined when the outcome is unknown. */
  async #record<T>(
    key: string,
    input: RegisterInput,
    work: () => Promise<Outcome<T>>,
    told: (value: T) => RegisterOutput,
  ): Promise<Outcome<T>> {
    const { world } = this.#parts;
    const called = world.now_ms;
    const outcome = await work();
    // What was refused did not happen; that is checked by its value.
    if (outcome.kind === 'refused') return outcome;
    const operation =
      outcome.kind === 'ok'
        ? { input, output: told(outcome.value), call: called, return: world.now_ms }
        : { input, output: undefined, call: called, return: Infinity };
    const history = this.history.get(key);
    if (history === undefined) this.history.set(key, [operation]);
    else history.push(operation);
    return outcome;
  }

  /** Revisions of answers follow real time (strict serializability). */
  #answered(before: number, revision: number, isWrite: boolean): void {
    this.#acknowledged++;
    if (revision < before || (isWrite && revision === before)) {
      this.#parts.world.violated(
        `real time: revision ${revision} was answered to ${isWrite ? 'a write' : 'a read'} that began after revision ${before} was seen`,
      );
    }
    this.#revisionSeen = Math.max(this.#revisionSeen, revision);
  }

  #refused(outcome: Outcome<unknown>, value: string): void {
    if (outcome.kind === 'refused') this.#parts.ledger.refused(value, outcome.code);
  }

  async #put(machine: Machine, key: string): Promise<Outcome<unknown>> {
    const value = this.#value();
    const before = this.#revisionSeen;
    const outcome = await this.#record(
      key,
      { kind: 'put', value },
      () => call(this.#parts.world, machine, (core) => core.put({ kind: 'put', key: bytes(key), value: bytes(value) })),
      () => true,
    );
    this.#refused(outcome, value);
    if (outcome.kind === 'ok') this.#answered(before, outcome.value.revision, true);
    return outcome;
  }

  async #get(machine: Machine, key: string): Promise<void> {
    const before = this.#revisionSeen;
    const work = () => call(this.#parts.world, machine, (core) => core.range({ key: bytes(key) }));
    const outcome = await this.#record(key, { kind: 'get' }, work, ({ kvs }) =>
      kvs[0] === undefined ? null : Buffer.from(kvs[0].value).toString('latin1'),
    );
    if (outcome.kind === 'ok') this.#answered(before, outcome.value.revision, false);
  }

  async #delete(machine: Machine, key: string): Promise<void> {
    const work = () =>
      call(this.#parts.world, machine, (core) =>
        core.txn({ compare: [], success: [{ kind: 'delete', key: bytes(key) }], failure: [] }),
      );
    await this.#record(
      key,
      { kind: 'delete' },
      work,
      ({ results }) => results[0]?.kind === 'delete' && results[0].deleted > 0,
    );
  }

  async #swap(machine: Machine, key: string): Promise<void> {
    const { world } = this.#parts;
    const seen = await call(world, machine, (core) => core.range({ key: bytes(key), serializable: true }));
    const kv = seen.kind === 'ok' ? seen.value.kvs[0] : undefined;
    if (kv === undefined) return;
    const value = this.#value();
    const expected = Buffer.from(kv.value).toString('latin1');
    const work = () =>
      call(world, machine, (core) =>
        core.txn({
          compare: [{ target: 'value', key: bytes(key), op: '=', value: kv.value }],
          success: [{ kind: 'put', key: bytes(key), value: bytes(value), prevKv: true }],
          failure: [],
        }),
      );
    const outcome = await this.#record(key, { kind: 'swap', expected, value }, work, ({ succeeded }) => succeeded);
    this.#refused(outcome, value);
  }

  /** Several writes in one revision, and a read of a revision that may have been compacted (etcd #18667). */
  async #txn(machine: Machine): Promise<void> {
    const { world, ledger } = this.#parts;
    const { random } = world;
    const key = () => bytes(`t${random.int(TXN_KEYS)}`);
    const values = [this.#value(), this.#value()];
    const [first, second] = [random.int(TXN_KEYS), random.int(TXN_KEYS - 1)];
    const other = second >= first ? second + 1 : second;
    const ops: Op[] = [
      { kind: 'put', key: bytes(`t${first}`), value: bytes(values[0] ?? ''), prevKv: random.int(2) === 0 },
    ];
    if (random.int(2) === 0) ops.push({ kind: 'put', key: bytes(`t${other}`), value: bytes(values[1] ?? '') });
    else ops.push({ kind: 'delete', key: bytes(`t${other}`), prevKv: true });
    const revision = Math.max(1, ledger.model.revision - random.int(30)) as Revision;
    if (random.int(3) === 0) ops.push({ kind: 'range', request: { key: bytes('t'), rangeEnd: bytes('u'), revision } });
    if (random.int(4) === 0) ops.push({ kind: 'range', request: { key: bytes('t'), rangeEnd: bytes('u') } });
    const compare =
      random.int(2) === 0 ? [] : [{ target: 'version' as const, key: key(), op: '=' as const, value: random.int(3) }];
    const before = this.#revisionSeen;
    const outcome = await call(world, machine, (core) =>
      core.txn({ compare, success: ops, failure: [{ kind: 'delete', key: key() }] }),
    );
    for (const value of values) this.#refused(outcome, value);
    if (outcome.kind === 'ok') this.#answered(before, outcome.value.revision, false);
  }

  async #range(machine: Machine): Promise<void> {
    const { world, ledger } = this.#parts;
    const { random } = world;
    const serializable = random.int(2) === 0;
    const prefix = ['r', 't', 'l'][random.int(3)] ?? 'r';
    const request: KvRange = {
      key: bytes(prefix),
      rangeEnd: bytes(String.fromCharCode(prefix.charCodeAt(0) + 1)),
      serializable,
      limit: random.int(3),
      countOnly: random.int(6) === 0,
    };
    const past =
      random.int(4) === 0 ? { revision: Math.max(1, ledger.model.revision - random.int(40)) as Revision } : {};
    const before = this.#revisionSeen;
    const outcome = await call(world, machine, (core) => core.range({ ...request, ...past }));
    if (outcome.kind !== 'ok') return;
    const { revision } = outcome.value;
    if (!serializable) this.#answered(before, revision, false);
    const expected = ledger.model.rangeAt(request, past.revision ?? revision);
    const actual = answerOfRange(outcome.value);
    if (actual !== expected)
      world.violated(
        `range: ${machine.name} reads "${actual}" at revision ${past.revision ?? revision}, it should be "${expected}"`,
      );
  }

  async #lease(machine: Machine): Promise<void> {
    const { world, ledger } = this.#parts;
    const { random } = world;
    const id = this.#leases[random.int(this.#leases.length)];
    const choice = random.int(10);
    if (id === undefined || (choice < 2 && this.#leases.length < LEASES_MAX)) {
      const outcome = await call(world, machine, (core) => core.leaseGrant({ ttl_s: 1 + random.int(4) }));
      if (outcome.kind === 'ok') this.#leases.push(outcome.value.id);
    } else if (choice < 6) {
      const asked_ms = world.now_ms;
      const outcome = await call(world, machine, (core) => core.leaseKeepAlive(id));
      if (outcome.kind === 'ok') ledger.leaseRenewed(id, { ttl_s: outcome.value.ttl_s, asked_ms });
      if (outcome.kind === 'refused' && outcome.code === 'lease-not-found') this.#forget(id);
    } else if (choice < 9) {
      const value = this.#value();
      const key = bytes(`l${random.int(LEASE_KEYS)}`);
      const outcome = await call(world, machine, (core) =>
        core.put({ kind: 'put', key, value: bytes(value), lease: id, prevKv: true }),
      );
      this.#refused(outcome, value);
      if (outcome.kind === 'refused' && outcome.code === 'lease-not-found') this.#forget(id);
    } else {
      await call(world, machine, (core) => core.leaseRevoke(id));
      this.#forget(id);
    }
  }

  #forget(id: bigint): void {
    const at = this.#leases.indexOf(id);
    if (at >= 0) this.#leases.splice(at, 1);
  }

  async #compact(machine: Machine): Promise<void> {
    const { world, ledger } = this.#parts;
    let revision = ledger.model.revision - world.random.int(30);
    // Deletions at the very revision are the hard case (etcd #19179).
    for (let i = 0; i < 20 && world.random.int(8) !== 0 && ledger.model.eventsAt(revision)[0]?.kv !== undefined; i++)
      revision--;
    if (revision > 0) await call(world, machine, (core) => core.compact(revision as Revision));
  }
}
