/**
 * Writes to the store of keys and values, many at a time: for those who keep data of their own beside the cluster's
 * objects, under a certificate that may use the store. What is written in one turn travels as one message, and nothing
 * waits for the answer to what was written before; how much is under way is bounded, and what is beyond that waits
 * here.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../../platform/clock.js';
import { systemClock } from '../../platform/clock.js';
import { apiErrors } from '../../apimachinery/status.js';
import { WriteServiceService } from '../../proto/gen/navarch/store/v1/write.js';
import type { Operation, Outcome, WriteRequest, WriteResponse } from '../../proto/gen/navarch/store/v1/write.js';
import { openPool } from '../grpc/connect.js';
import type { ConnectOptions } from '../grpc/connect.js';
import type { Endpoint, EndpointPool } from '../grpc/endpoint-pool.js';

/** A write's outcome is the store's revision that it made. One that fails with ServiceUnavailable may have happened. */
export interface StoreWriter {
  /** `lease`: the id of the lease that the key is to hang on. */
  put(key: Uint8Array | string, value: Uint8Array | string, options?: { readonly lease?: bigint }): Promise<number>;
  delete(key: Uint8Array | string): Promise<number>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

const UNDER_WAY_MAX = 8192;
/** Of one message; a single larger write travels alone. */
const MESSAGE_BYTES = 256 * 1024;

interface Waiting {
  readonly operation: Operation;
  readonly bytes: number;
  resolve(revision: number): void;
  reject(error: Error): void;
}

/** Rejects with ApiError ServiceUnavailable when no member can be reached. */
export async function connectStoreWriter(options: ConnectOptions): Promise<StoreWriter> {
  const { pool, close } = await openPool(options);
  return new Writer(pool, options.clock ?? systemClock, close);
}

class Writer implements StoreWriter {
  readonly #pool: EndpointPool;
  readonly #clock: Clock;
  readonly #onClosed: () => void;
  #stream: Stream | undefined;
  #queue: Waiting[] = [];
  /** What is to happen with the queue in this turn, or while a connection is sought. */
  #flushing = false;
  #closed: { readonly promise: Promise<void>; resolve(): void } | undefined;

  constructor(pool: EndpointPool, clock: Clock, onClosed: () => void) {
    this.#pool = pool;
    this.#clock = clock;
    this.#onClosed = onClosed;
  }

  put(
    key: Uint8Array | string,
    value: Uint8Array | string,
    options: { readonly lease?: bigint } = {},
  ): Promise<number> {
    const put = { key: bufferOf(key), value: bufferOf(value), lease: options.lease ?? 0n };
    return this.#add({ kind: { $case: 'put', value: put } }, put.key.length + put.value.length);
  }

  delete(key: Uint8Array | string): Promise<number> {
    const value = { key: bufferOf(key) };
    return this.#add({ kind: { $case: 'delete', value } }, value.key.length);
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.#closed = { promise, resolve };
      this.#checkDone();
    }
    return this.#closed.promise;
  }

  #add(operation: Operation, bytes: number): Promise<number> {
    if (this.#closed !== undefined) return Promise.reject(apiErrors.badRequest('this writer is closed'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ operation, bytes, resolve, reject });
      this.#flushSoon();
    });
  }

  #flushSoon(): void {
    if (this.#flushing || this.#queue.length === 0) return;
    this.#flushing = true;
    this.#clock.immediate(() => {
      this.#flush().then(
        () => this.#flushed(),
        (error: unknown) => {
          this.#flushed();
          for (const { reject } of this.#queue.splice(0)) reject(error as Error);
          this.#checkDone();
        },
      );
    });
  }

  #flushed(): void {
    this.#flushing = false;
    if (this.#stream !== undefined && this.#stream.hasRoom) this.#flushSoon();
  }

  async #flush(): Promise<void> {
    const stream = (this.#stream ??= await this.#open());
    while (stream.hasRoom && this.#queue.length > 0) {
      let bytes = 0;
      let count = 0;
      for (const write of this.#queue) {
        bytes += write.bytes;
        if (count > 0 && (bytes > MESSAGE_BYTES || count >= stream.room)) break;
        count++;
      }
      stream.send(this.#queue.splice(0, count));
    }
  }

  async #open(): Promise<Stream> {
    const endpoint = await this.#pool.pick(new Set());
    const stream = new Stream(endpoint, {
      onRoom: () => {
        this.#flushSoon();
        this.#checkDone();
      },
      onBroken: () => {
        this.#pool.failed(endpoint);
        if (this.#stream === stream) this.#stream = undefined;
        this.#flushSoon();
        this.#checkDone();
      },
    });
    return stream;
  }

  #checkDone(): void {
    if (this.#closed === undefined || this.#queue.length > 0 || this.#stream?.isIdle === false) return;
    this.#stream?.end();
    this.#onClosed();
    this.#closed.resolve();
  }
}

/** One stream to one member. Its answers come in the order of what was sent. */
class Stream {
  readonly #call: ClientDuplexStream<WriteRequest, WriteResponse>;
  #underWay: Waiting[] = [];
  #first = 0;

  constructor({ client }: Endpoint, hooks: { onRoom(): void; onBroken(): void }) {
    const { path, requestSerialize, responseDeserialize } = WriteServiceService.write;
    this.#call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#call.on('data', ({ outcomes }: WriteResponse) => {
      for (const outcome of outcomes) this.#settle(outcome);
      hooks.onRoom();
    });
    const broken = (why: string) => {
      const lost = this.#underWay.slice(this.#first);
      this.#underWay = [];
      this.#first = 0;
      for (const { reject } of lost)
        reject(apiErrors.serviceUnavailable(`${why}; whether the write happened is not known`));
      hooks.onBroken();
    };
    this.#call.on('error', (error) => broken(error.message));
    this.#call.on('end', () => broken('the member has ended the stream'));
  }

  get room(): number {
    return UNDER_WAY_MAX - (this.#underWay.length - this.#first);
  }

  get hasRoom(): boolean {
    return this.room > 0;
  }

  get isIdle(): boolean {
    return this.room === UNDER_WAY_MAX;
  }

  send(writes: readonly Waiting[]): void {
    for (const write of writes) this.#underWay.push(write);
    this.#call.write({ operations: writes.map(({ operation }) => operation) });
  }

  end(): void {
    this.#call.end();
  }

  #settle({ revision, failure }: Outcome): void {
    const write = this.#underWay[this.#first++];
    if (this.#first >= UNDER_WAY_MAX) {
      this.#underWay = this.#underWay.slice(this.#first);
      this.#first = 0;
    }
    if (failure === undefined) write?.resolve(revision);
    else write?.reject(errorOf(failure));
  }
}

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;

function errorOf({ code, message, outcomeUnknown }: NonNullable<Outcome['failure']>): Error {
  if (outcomeUnknown) return apiErrors.serviceUnavailable(`${message}; whether the write happened is not known`);
  if (code === PERMISSION_DENIED) return apiErrors.forbidden({ group: '', resource: 'store' }, '', message);
  return code === INVALID_ARGUMENT || code === NOT_FOUND
    ? apiErrors.badRequest(message)
    : apiErrors.serviceUnavailable(message);
}

const bufferOf = (bytes: Uint8Array | string): Buffer =>
  typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
