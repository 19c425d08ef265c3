/**
 * navarch.store.v1.WriteService: writes as a stream. In: batches of writes; each is authorized and proposed at once, without waiting
 * for those before it. Out: their outcomes in the same order, all that are known in one turn as one message. A stream that has
 * too many writes under way is not read until some are done.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import { WriteServiceService } from '../../../proto/gen/navarch/store/v1/write.js';
import type { Operation, Outcome, WriteRequest, WriteResponse, WriteServiceServer } from '../../../proto/gen/navarch/store/v1/write.js';
import type { KvBackend } from '../backend.js';
import type { EtcdAuthorizer, EtcdIdentity } from '../etcd/authorize.js';
import { EtcdContext, toEtcdError } from '../etcd/context.js';
import { forSomebody, type GrpcService } from '../etcd/index.js';
import { emptyKeyError } from '../errors.js';
import { StoreError } from '../store.js';

export interface WriteServiceOptions {
  readonly backend: KvBackend;
  /** Asked for each write, as by etcd's API. */
  readonly authorize: EtcdAuthorizer;
  readonly clock: Clock;
}

/** Writes of one stream that are under way before it is no longer read. */
const UNDER_WAY_MAX = 16_384;
const NO_BYTES = Buffer.alloc(0);

type Call = ServerDuplexStream<WriteRequest, WriteResponse>;

export function writeService({ backend, authorize, clock }: WriteServiceOptions): GrpcService {
  const context = new EtcdContext({ backend, member: undefined, authorize, progressInterval_ms: 0, scheme: '' });
  const implementation: WriteServiceServer = {
    write: (call) => {
      const stream = new Writes({ call, backend, clock, context, identity: context.identityOf(call) });
      call.on('data', (request: WriteRequest) => stream.take(request.operations));
      call.on('end', () => stream.end());
      call.on('error', () => undefined);
    },
  };
  return { definition: WriteServiceService, implementation: forSomebody(context, { ...implementation }) };
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
  #flushing = false;
  #ended = false;

  constructor(options: WritesOptions) {
    this.#options = options;
  }

  take(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const place = this.#answered + this.#outcomes.length;
      this.#outcomes.push(undefined);
      this.#write(operation).then(
        (revision) => this.#settle(place, { revision, failure: undefined }),
        (error: unknown) => this.#settle(place, { revision: 0, failure: failureOf(error) }),
      );
    }
    if (this.#outcomes.length >= UNDER_WAY_MAX) this.#options.call.pause();
  }

  end(): void {
    this.#ended = true;
    this.#flush();
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
    const open = this.#outcomes.indexOf(undefined);
    const known = open === -1 ? this.#outcomes : this.#outcomes.slice(0, open);
    this.#outcomes = open === -1 ? [] : this.#outcomes.slice(open);
    this.#answered += known.length;
    if (known.length > 0 && !call.cancelled) call.write({ outcomes: known as Outcome[] });
    if (call.isPaused() && this.#outcomes.length < UNDER_WAY_MAX / 2) call.resume();
    if (this.#ended && this.#outcomes.length === 0) call.end();
  }
}

function failureOf(error: unknown): NonNullable<Outcome['failure']> {
  const { code, details } = toEtcdError(error);
  return { code, message: details, outcomeUnknown: error instanceof StoreError && error.code === 'unknown-outcome' };
}
