/**
 * What clients asked and were told. Judged in four ways, the last three against the chronicle:
 * - each register's history is linearizable
 * - every acknowledged write happened, at the revision that it was told; what was refused never happened
 * - a read saw what its revision holds
 * - revisions follow real time: who asks later sees no older state (strict serializability)
 */
import { systemClock } from '../../platform/clock.js';
import {
  checkLinearizable,
  registerModel,
  type Operation,
  type RegisterInput,
  type RegisterOutput,
} from '../../raft/sim/check/index.js';
import type { Chronicle } from './chronicle.js';
import type { Outcome } from './etcd-client.js';
import type { Verdict } from './verdict.js';

type Asked = Operation<RegisterInput, RegisterOutput>;

interface Write {
  readonly value: string;
  readonly key: string;
  /** 0: not told. */
  readonly revision: number;
}

interface Read {
  readonly what: string;
  readonly revision: number;
  /** Compares with the model, once that knows the revision. */
  readonly expected: () => string;
  readonly actual: string;
}

export class Histories {
  readonly #verdict: Verdict;
  readonly #chronicle: Pick<Chronicle, 'revision' | 'written'>;
  readonly #registers = new Map<string, Asked[]>();
  readonly #acknowledged: Write[] = [];
  readonly #refused: { readonly value: string; readonly why: string }[] = [];
  #reads: Read[] = [];
  #values = 0;
  #revisionSeen = 0;
  #answers = 0;
  #unknown = 0;

  constructor(chronicle: Pick<Chronicle, 'revision' | 'written'>, verdict: Verdict) {
    this.#chronicle = chronicle;
    this.#verdict = verdict;
  }

  /** Writes. */
  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  /** Of calls of all kinds. */
  get answers(): number {
    return this.#answers;
  }

  get unknown(): number {
    return this.#unknown;
  }

  /** Newest revision that a client was told. */
  get revisionSeen(): number {
    return this.#revisionSeen;
  }

  /** No value is written twice, so a value tells which write it comes from. */
  freshValue(): string {
    return `w${++this.#values}`;
  }

  /**
   * One operation on a register: noted, with its place in time. `told` is what the answer says of the register. What
   * was refused did not happen; that is checked by its value.
   */
  async register<T>(
    key: string,
    input: RegisterInput,
    call: { work: () => Promise<Outcome<T>>; told: (answer: T) => RegisterOutput },
  ): Promise<Outcome<T>> {
    const called = systemClock.monotonic();
    const outcome = await call.work();
    this.count(outcome);
    if (outcome.kind === 'refused') {
      if ('value' in input) this.#refused.push({ value: input.value, why: outcome.why });
      return outcome;
    }
    const operation: Asked =
      outcome.kind === 'ok'
        ? { input, output: call.told(outcome.value), call: called, return: systemClock.monotonic() }
        : { input, output: undefined, call: called, return: Infinity };
    const history = this.#registers.get(key);
    if (history === undefined) this.#registers.set(key, [operation]);
    else history.push(operation);
    return outcome;
  }

  count(outcome: Outcome<unknown>): void {
    if (outcome.kind === 'ok') this.#answers++;
    else if (outcome.kind === 'unknown') this.#unknown++;
  }

  wrote(write: Write): void {
    this.#acknowledged.push(write);
  }

  refused(value: string, why: string): void {
    this.#refused.push({ value, why });
  }

  read(read: Read): void {
    this.#reads.push(read);
  }

  /** An answer that is linearizable came at this revision to a call that was made when `before` had been seen. */
  answered(before: number, revision: number, isWrite: boolean): void {
    if (revision < before || (isWrite && revision === before)) {
      this.#verdict.violated(
        `real time: revision ${revision} was answered to ${isWrite ? 'a write' : 'a read'} that began after revision ${before} was seen`,
      );
    }
    this.#revisionSeen = Math.max(this.#revisionSeen, revision);
  }

  /** Reads whose revision is known by now. */
  judgeReads(): void {
    const later: Read[] = [];
    for (const read of this.#reads) {
      if (read.revision > this.#chronicle.revision) {
        later.push(read);
        continue;
      }
      const expected = read.expected();
      if (read.actual !== expected)
        this.#verdict.violated(
          `${read.what} reads "${read.actual}" at revision ${read.revision}, it should be "${expected}"`,
        );
    }
    this.#reads = later;
  }

  /** Acknowledged writes that are not where they were said to be. The chronicle must be complete. */
  lost(): string[] {
    const { written } = this.#chronicle;
    return this.#acknowledged.flatMap(({ value, key, revision }) => {
      const found = written.get(value);
      if (found?.key === key && (revision === 0 || found.revision === revision)) return [];
      const where = found === undefined ? 'is nowhere' : `is at ${found.key}, revision ${found.revision}`;
      return [`"${value}", acknowledged for ${key} at revision ${revision}, ${where}`];
    });
  }

  /** At the end, when the chronicle is complete. */
  finish(): void {
    this.judgeReads();
    const lost = this.lost();
    if (lost.length > 0)
      this.#verdict.violated(`${lost.length} acknowledged writes are lost: ${lost.slice(0, 5).join('; ')}`);
    for (const { value, why } of this.#refused) {
      if (this.#chronicle.written.has(value))
        this.#verdict.violated(`"${value}" happened although its client was told "${why}"`);
    }
    for (const [key, history] of this.#registers) this.#judgeRegister(key, history);
  }

  /**
   * Reads without an answer say nothing; writes without one that are nowhere did not happen. Without them the search
   * has less to try.
   */
  #judgeRegister(key: string, history: readonly Asked[]): void {
    const happened = history.filter(
      ({ input, output }) =>
        output !== undefined ||
        input.kind === 'delete' ||
        ('value' in input && this.#chronicle.written.has(input.value)),
    );
    const verdict = checkLinearizable(registerModel, happened);
    if (verdict === 'not-linearizable')
      this.#verdict.violated(
        `linearizability: the history of ${key} has no order (${happened.length} operations)\n${happened.map(lineOf).join('\n')}`,
      );
    if (verdict === 'too-hard')
      process.stderr.write(
        `the history of ${key} is too long to be checked for linearizability; its ${happened.length} operations were checked against the chronicle alone\n`,
      );
  }
}

function lineOf({ input, output, call, return: end }: Asked): string {
  const parts = [
    input.kind,
    'expected' in input ? input.expected : '',
    'value' in input ? input.value : '',
    output === undefined ? '?' : String(output),
  ];
  return `  ${call.toFixed(1)}-${end.toFixed(1)} ${parts.filter((part) => part !== '').join(' ')}`;
}
