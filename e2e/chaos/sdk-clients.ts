/**
 * Clients of the SDK, over gRPC: ConfigMaps as registers (get, patch, update of a known version) and a watch that
 * resumes. The API server's way to the store is judged with it: through caches, conflicts and all.
 */
import { configMaps } from '../../apimachinery/gen/resources.js';
import { systemClock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { connect } from '../../sdk/grpc/connect.js';
import { isApiError } from '../../apimachinery/status.js';
import type { Client } from '../../sdk/client.js';
import type { Outcome } from './etcd-client.js';
import type { ClientParts } from './etcd-clients.js';

const NAMESPACE = 'default';
const PREFIX = 'chaos-r';
const KEY = `/registry/configmaps/${NAMESPACE}/`;
const OPERATIONS_PER_REGISTER = 80;
const THINK_MS = 40;
const CALL_MS = 6000;
/** Refusals of writes that say for sure that nothing happened. */
const REFUSALS = ['Conflict', 'NotFound', 'AlreadyExists', 'Invalid', 'BadRequest', 'Forbidden'] as const;

interface Seen {
  readonly type: string;
  readonly name: string;
  readonly revision: number;
  readonly value: string;
}

export class SdkClients {
  readonly #parts: ClientParts;
  readonly #running: Promise<void>[] = [];
  readonly #seen: Seen[] = [];
  readonly #over = new AbortController();
  readonly #closed = new AbortController();
  #client: Client | undefined;
  #register: string | undefined;
  #operations = 0;
  #since = 0;
  #next = 0;

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  /** What its watch was told, compared to the end. */
  get events(): number {
    return this.#seen.length;
  }

  async start(count: number, randomFor: (client: number) => Random): Promise<void> {
    const {
      fleet: { endpoints, secrets },
      verdict,
    } = this.#parts;
    const { ca, cert, key } = secrets.client;
    const client = await connect({ endpoints, tls: { ca, certificate: cert, privateKey: key } });
    this.#client = client;
    const list = await client.list(configMaps, { namespace: NAMESPACE });
    this.#since = Number(list.metadata.resourceVersion ?? '0');
    this.#next = this.#since + 1;
    this.#running.push(this.#watch(client).catch(verdict.caught), this.#renew(client).catch(verdict.caught));
    for (let i = 0; i < count; i++) this.#running.push(this.#run(client, randomFor(i)).catch(verdict.caught));
  }

  behind(revision: number): string[] {
    // Its watch hears of its own objects alone: what matters is that the last of those is known.
    const last = this.#expected(revision).at(-1);
    return last === undefined || this.#next > last.revision
      ? []
      : [`the SDK's watch is at ${this.#next - 1}, not at ${last.revision}`];
  }

  /** Clients first; the watch goes on until `close`. */
  async stop(): Promise<void> {
    this.#register = undefined;
    this.#over.abort(new Error('the run is over'));
    await Promise.all(this.#running.slice(1));
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('the run is over'));
    await this.#running[0];
    await this.#client?.close();
  }

  /** Every event of its objects, once, in order. */
  finish(): void {
    const { verdict, chronicle } = this.#parts;
    const expected = this.#expected(chronicle.revision);
    for (const [i, want] of expected.entries()) {
      const got = this.#seen[i];
      if (lineOf(got) !== lineOf(want))
        verdict.violated(`the SDK's watch was told "${lineOf(got)}" where "${lineOf(want)}" happened`);
    }
    const more = this.#seen[expected.length];
    if (more !== undefined) verdict.violated(`the SDK's watch was told "${lineOf(more)}", which did not happen`);
  }

  #expected(revision: number): Seen[] {
    const { model } = this.#parts.chronicle;
    const found: Seen[] = [];
    for (let at = this.#since + 1; at <= revision; at++) {
      for (const { key, kv, prev } of model.eventsAt(at)) {
        if (!key.startsWith(KEY + PREFIX)) continue;
        const type = kv === undefined ? 'DELETED' : prev === undefined ? 'ADDED' : 'MODIFIED';
        found.push({
          type,
          name: key.slice(KEY.length),
          revision: at,
          value: /"value":"(w\d+)"/.exec((kv ?? prev)?.value ?? '')?.[1] ?? '',
        });
      }
    }
    return found;
  }

  async #watch(client: Client): Promise<void> {
    const { verdict } = this.#parts;
    const signal = AbortSignal.any([verdict.signal, this.#closed.signal]);
    for (;;) {
      try {
        for await (const { type, object } of client.watch(configMaps, {
          namespace: NAMESPACE,
          resourceVersion: String(this.#next - 1),
          signal,
        })) {
          const revision = Number(object.metadata?.resourceVersion ?? '0');
          this.#next = revision + 1;
          const name = object.metadata?.name ?? '';
          if (type !== 'BOOKMARK' && name.startsWith(PREFIX))
            this.#seen.push({ type, name, revision, value: object.data?.['value'] ?? '' });
        }
      } catch (error) {
        if (isApiError(error, 'Expired'))
          verdict.violated(`the SDK's watch: ${String(error)}, though nothing that it asks for was compacted`);
      }
      if (signal.aborted) return;
      await systemClock.sleep(50);
    }
  }

  /** Where history may be compacted to. */
  get readFrom(): number {
    return this.#next;
  }

  /** Makes a register when the last one is used up. One whose creation is in doubt is not used. */
  async #renew(client: Client): Promise<void> {
    const { histories, verdict } = this.#parts;
    for (let generation = 1; !this.#over.signal.aborted && !verdict.signal.aborted; generation++) {
      const name = `${PREFIX}${generation}`;
      const value = histories.freshValue();
      const work = () =>
        attempt(
          client.create(
            configMaps,
            { metadata: { name, namespace: NAMESPACE }, data: { value } },
            { signal: AbortSignal.timeout(CALL_MS) },
          ),
        );
      const outcome = await histories.register(KEY + name, { kind: 'put', value }, { work, told: () => true });
      if (outcome.kind !== 'ok') {
        await systemClock.sleep(200);
        continue;
      }
      histories.wrote({ key: KEY + name, value, revision: Number(outcome.value.metadata?.resourceVersion ?? '0') });
      this.#register = name;
      const end = this.#operations + OPERATIONS_PER_REGISTER;
      while (this.#operations < end && !this.#over.signal.aborted && !verdict.signal.aborted)
        await systemClock.sleep(50);
    }
  }

  async #run(client: Client, random: Random): Promise<void> {
    const { verdict } = this.#parts;
    while (!this.#over.signal.aborted && !verdict.signal.aborted) {
      await systemClock.sleep(2 * THINK_MS * random.next());
      const name = this.#register;
      if (name === undefined) continue;
      this.#operations++;
      await this.#act(client, name, random.int(10));
    }
  }

  async #act(client: Client, name: string, choice: number): Promise<void> {
    const { histories } = this.#parts;
    const ref = { namespace: NAMESPACE, name };
    const key = KEY + name;
    const before = histories.revisionSeen;
    const get = () => attempt(client.get(configMaps, ref, { signal: AbortSignal.timeout(CALL_MS) }));
    const seen = await histories.register(
      key,
      { kind: 'get' },
      { work: get, told: ({ data }) => data?.['value'] ?? null },
    );
    if (seen.kind !== 'ok' || choice < 4) return;
    const value = histories.freshValue();
    const signal = AbortSignal.timeout(CALL_MS);
    if (choice < 7) {
      const work = () =>
        attempt(client.patch(configMaps, ref, { type: 'merge', body: { data: { value } } }, { signal }));
      const outcome = await histories.register(key, { kind: 'put', value }, { work, told: () => true });
      this.#wrote(outcome, before, { key, value });
      return;
    }
    const expected = seen.value.data?.['value'] ?? '';
    const work = async (): Promise<Outcome<{ readonly swapped: boolean; readonly revision: string }>> => {
      const outcome = await attempt(client.update(configMaps, { ...seen.value, data: { value } }, { signal }));
      if (outcome.kind === 'ok')
        return { kind: 'ok', value: { swapped: true, revision: outcome.value.metadata?.resourceVersion ?? '0' } };
      return outcome.kind === 'refused' && outcome.why.startsWith('Conflict')
        ? { kind: 'ok', value: { swapped: false, revision: '0' } }
        : outcome;
    };
    const outcome = await histories.register(
      key,
      { kind: 'swap', expected, value },
      { work, told: ({ swapped }) => swapped },
    );
    if (outcome.kind !== 'ok') return;
    if (!outcome.value.swapped) histories.refused(value, 'Conflict');
    else
      this.#wrote({ kind: 'ok', value: { metadata: { resourceVersion: outcome.value.revision } } }, before, {
        key,
        value,
      });
  }

  #wrote(
    outcome: Outcome<{ readonly metadata?: { readonly resourceVersion?: string } }>,
    before: number,
    write: { readonly key: string; readonly value: string },
  ): void {
    if (outcome.kind !== 'ok') return;
    const revision = Number(outcome.value.metadata?.resourceVersion ?? '0');
    this.#parts.histories.answered(before, revision, true);
    this.#parts.histories.wrote({ ...write, revision });
  }
}

async function attempt<T>(work: Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'ok', value: await work };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const reason = REFUSALS.find((one) => isApiError(error, one));
    return reason === undefined ? { kind: 'unknown', why } : { kind: 'refused', why: `${reason}: ${why}` };
  }
}

const lineOf = (seen: Seen | undefined) =>
  seen === undefined ? 'nothing' : `${seen.type} ${seen.name}@${seen.revision} ${seen.value}`;
