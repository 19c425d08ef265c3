/**
 * The judge of a watch: what is delivered is compared with what the model says happened, revision by revision. So it
 * holds all nine promises to the letter: filter, order, unique, atomic (whole revisions), bookmark (everything up to
 * the batch's revision was delivered), resume (a watch begins where it asked to), is-create, reliable (nothing
 * missing), prev-kv.
 */
import type { KvWatch } from '../../../services/store/watch/sink.js';
import type { StoreEvent, WatchBatch } from '../../../services/store/store.js';
import type { Model, ModelEvent } from './model.js';
import { lineOf, modelKvOf } from './model.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** Where a breach is reported. It does not return. */
export interface Court {
  violated(what: string): never;
}

export class WatchJudge {
  readonly #court: Court;
  readonly #model: Model;
  readonly #name: string;
  readonly #request: KvWatch;
  /** The first revision that was not delivered yet. */
  next: number;

  constructor(parts: { court: Court; model: Model; name: string }, request: KvWatch, next: number) {
    this.#court = parts.court;
    this.#model = parts.model;
    this.#name = parts.name;
    this.#request = request;
    this.next = next;
  }

  batch({ events, revision }: WatchBatch): void {
    // A bookmark may repeat what is known, and a watch from the future is told nothing before.
    if (revision < this.next - 1)
      this.#violated(`bookmark: revision ${revision} after everything up to ${this.next - 1} was delivered`);
    if (revision > this.#model.revision) this.#violated(`bookmark: revision ${revision} does not exist yet`);
    const expected: string[] = [];
    for (let at = this.next; at <= revision; at++) {
      for (const event of this.#model.eventsAt(at)) if (this.#wants(event)) expected.push(this.#line(at, event));
    }
    const actual = events.map((event) => this.#lineOfEvent(event));
    const wrong = Math.max(expected.length, actual.length);
    for (let i = 0; i < wrong; i++) {
      const [want, got] = [expected[i], actual[i]];
      if (want === got || (want !== undefined && got !== undefined && this.#isWithoutPrev(want, got))) continue;
      this.#violated(
        `up to revision ${revision} it delivers "${got ?? 'nothing'}" where "${want ?? 'nothing'}" should be`,
      );
    }
    this.next = Math.max(this.next, revision + 1);
  }

  #violated(what: string): never {
    return this.#court.violated(`watch ${this.#name}: ${what}`);
  }

  #wants({ key, kv }: ModelEvent): boolean {
    const { rangeEnd } = this.#request;
    const start = text(this.#request.key);
    if (rangeEnd === undefined ? key !== start : key < start || key >= text(rangeEnd)) return false;
    return kv === undefined ? this.#request.noDelete !== true : this.#request.noPut !== true;
  }

  #line(revision: number, { key, kv, prev }: ModelEvent): string {
    const before = this.#request.prevKv === true ? ` prev ${lineOf(prev)}` : '';
    return kv === undefined
      ? `delete ${key}@${revision}${before}`
      : `put ${lineOf(kv)} create ${String(kv.create === kv.mod)}${before}`;
  }

  #lineOfEvent(event: StoreEvent): string {
    const before =
      this.#request.prevKv === true
        ? ` prev ${lineOf(event.prevKv === undefined ? undefined : modelKvOf(event.prevKv))}`
        : '';
    if (event.kind === 'delete') return `delete ${text(event.key)}@${event.modRevision}${before}`;
    const kv = modelKvOf(event.kv);
    return `put ${lineOf(kv)} create ${String(event.kv.createRevision === event.kv.modRevision)}${before}`;
  }

  /** The value before may have been compacted away; then it is left out, never made up. */
  #isWithoutPrev(want: string, got: string): boolean {
    const [wantEvent, wantPrev = ''] = want.split(' prev ');
    const [gotEvent, gotPrev] = got.split(' prev ');
    const mod = Number(wantPrev.split('@').at(-1)?.split(',')[1] ?? Infinity);
    return wantEvent === gotEvent && gotPrev === '-' && mod < this.#model.compactRevision;
  }
}
