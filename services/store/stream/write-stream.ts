/**
 * navarch.store.v1.WriteService: writes as a stream. In: batches of writes; each is authorized and proposed at once,
 * without waiting for those before it. Out: their outcomes in the same order, all that are known in one turn as one
 * message. A stream that has too many writes under way, or too many bytes of them, is not read until some are done. Of
 * one turn of the event loop a stream takes a part; a message that is too much ends it (write-limits.ts).
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import type { Operation, Outcome, WriteRequest, WriteResponse } from '../../../proto/gen/navarch/store/v1/write.js';
import type { KvBackend } from '../backend/backend.js';
import type { EtcdAuthorizer, EtcdIdentity } from '../etcd/authorize.js';
import { EtcdContext } from '../etcd/context.js';
import { failStream, toEtcdError } from '../etcd/errors.js';
import { forSomebody, type GrpcService } from '../etcd/index.js';
import { RefusedRequest } from '../etcd/requests.js';
import { emptyKeyError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { StoreError } from '../store.js';
import { judgedDefinition } from './write-limits.js';
import type { JudgedRequest } from './write-limits.js';

export interface WriteServiceOptions {
  readonly backend: KvBackend;
  /** Asked for each write, as by etcd's API. */
  readonly authorize: EtcdAuthorizer;
  readonly clock: Clock;
  /** Longest write that is taken. Default: 1.5 MiB, as etcd. */
  readonly request_bytes?: number;
}

/** Writes of one stream that are under way before it is no longer read, and bytes of their keys and values. */
const UNDER_WAY_MAX = 16_384;
const UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024;
/** Of one message. The SDK sends no more. */
const WRITES_MAX = 8192;
/** What stands around one write of the greatest size. */
const OVERHEAD_BYTES = 512 * 1024;
/** Begun before others have their turn on the thread: a few milliseconds' work. */
const SLICE = 256;
const NO_BYTES = Buffer.alloc(0);

type Call = ServerDuplexStream<WriteRequest, WriteResponse>;

export function writeService({
  backend,
  authorize,
  clock,
  request_bytes = LIMITS.request_bytes,
}: WriteServiceOptions): GrpcService {
  const context = new EtcdContext({ backend, member: undefined, authorize, progressInterval_ms: 0, scheme: '' });
  const implementation = {
    write: (call: Call) => {
      const stream = new Writes({ call, backend, clock, context, identity: context.identityOf(call) });
      call.on('data', (request: JudgedRequest) => {
        if (request instanceof RefusedRequest) stream.fail(request.error);
        else stream.take(request.operations);
      });
      call.on('end', () => stream.end());
      call.on('error', () => undefined);
    },
  };
  const definition = judgedDefinition({ message_bytes: request_bytes + OVERHEAD_BYTES, writes: WRITES_MAX });
  return { definition, implementation: forSomebody(context, { ...implementation }) };
}

interface WritesOptions {
  readonly call: Call;
  readonly backend: KvBackend;
  readonly clock: Clock;
  readonly context: EtcdContext;
  readonly identity: EtcdIdentity | undefined;
}

class Writes {
  readonly #options: WritesOptions;
  /** In the order of the writes; undefined: not known yet. */
  #outcomes: (Outcome | undefined)[] = [];
  /** Writes that were answered before the first of them. */
  #answered = 0;
  /** Read and not begun yet. */
  #waiting: readonly Operation[] = [];
  #begun = 0;
  #bytes = 0;
  #flushing = false;
  #ended = false;
  #failed = false;

  constructor(options: WritesOptions) {
    this.#options = options;
  }

  take(operations: readonly Operation[]): void {
    const isBusy = this.#begun < this.#waiting.length;
    this.#waiting = isBusy ? [...this.#waiting.slice(this.#begun), ...operations] : operations;
    this.#begun = 0;
    if (!isBusy) this.#begin();
    else this.#options.call.pause();
  }

  /** Ends the stream at once: of what is under way nothing is answered any more. */
  fail(error: unknown): void {
    this.#failed = true;
    failStream(this.#options.call, error);
  }

  end(): void {
    this.#ended = true;
    this.#flush();
  }

  get #hasRoom(): boolean {
    return (
      this.#begun === this.#waiting.length && this.#outcomes.length < UNDER_WAY_MAX && this.#bytes < UNDER_WAY_BYTES_MAX
    );
  }

  /** A part of what waits; the rest when others have had their turn. */
  #begin(): void {
    const { call, clock } = this.#options;
    const end = Math.min(this.#begun + SLICE, this.#waiting.length);
    for (const operation of this.#waiting.slice(this.#begun, end)) this.#beginOne(operation);
    this.#begun = end;
    if (!this.#hasRoom) call.pause();
    if (end < this.#waiting.length) clock.immediate(() => this.#begin());
    else this.#waiting = [];
    if (this.#waiting.length === 0) this.#begun = 0;
  }

  #beginOne(operation: Operation): void {
    const place = this.#answered + this.#outcomes.length;
    const bytes = bytesOf(operation);
    this.#outcomes.push(undefined);
    this.#bytes += bytes;
    const settle = (outcome: Outcome) => {
      this.#bytes -= bytes;
      this.#settle(place, outcome);
    };
    this.#write(operation).then(
      (revision) => settle({ revision, failure: undefined }),
      (error: unknown) => settle({ revision: 0, failure: failureOf(error) }),
    );
  }

  async #write({ kind }: Operation): Promise<number> {
    const { backend, context, identity } = this.#options;
    if (kind === undefined) throw new StoreError('invalid', 'an operation is a put or a delete');
    const { key } = kind.value;
    if (key.length === 0) throw emptyKeyError();
    context.require(identity, { kind: 'write', key, rangeEnd: NO_BYTES });
    if (kind.$case === 'put') return (await backend.put({ kind: 'put', ...kind.value })).revision;
    return (await backend.kvTxn({ compare: [], success: [{ kind: 'delete', key }], failure: [] })).revision;
  }

  #settle(place: number, outcome: Outcome): void {
    this.#outcomes[place - this.#answered] = outcome;
    if (this.#flushing) return;
    this.#flushing = true;
    this.#options.clock.immediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { call } = this.#options;
    if (this.#failed) return;
    const open = this.#outcomes.indexOf(undefined);
    const known = open === -1 ? this.#outcomes : this.#outcomes.slice(0, open);
    this.#outcomes = open === -1 ? [] : this.#outcomes.slice(open);
    this.#answered += known.length;
    if (known.length > 0 && !call.cancelled) call.write({ outcomes: known as Outcome[] });
    if (
      call.isPaused() &&
      this.#hasRoom &&
      this.#outcomes.length < UNDER_WAY_MAX / 2 &&
      this.#bytes < UNDER_WAY_BYTES_MAX / 2
    )
      call.resume();
    if (this.#ended && this.#waiting.length === 0 && this.#outcomes.length === 0) call.end();
  }
}

function bytesOf({ kind }: Operation): number {
  return kind === undefined ? 0 : kind.value.key.length + (kind.$case === 'put' ? kind.value.value.length : 0);
}

function failureOf(error: unknown): NonNullable<Outcome['failure']> {
  const { code, details } = toEtcdError(error);
  return { code, message: details, outcomeUnknown: error instanceof StoreError && error.code === 'unknown-outcome' };
}
