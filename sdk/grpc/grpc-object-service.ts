/**
 * An ObjectService on the members of a cluster, over gRPC.
 *
 * A call that failed for want of a connection goes to another member when that is safe: reads always, writes only when
 * they never left this process. A write whose outcome is unknown fails with ServiceUnavailable, and the caller looks.
 */
import type { ClientReadableStream, MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import type { Clock } from '../../platform/clock.js';
import * as messages from '../../apimachinery/grpc/object-messages.js';
import { fromGrpcError, isTransportFault, neverSent } from '../../apimachinery/grpc/status.js';
import type {
  CallOptions,
  CreateRequest,
  DeleteCollectionRequest,
  DeleteRequest,
  DeleteResult,
  GetRequest,
  ListRequest,
  ObjectHandle,
  ObjectList,
  ObjectService,
  PatchRequest,
  ServedResource,
  UpdateRequest,
  WatchEvent,
  WatchRequest,
} from '../../apimachinery/object-service.js';
import { apiErrors } from '../../apimachinery/status.js';
import { ObjectServiceService as methods } from '../../proto/gen/navarch/objects/v1/objects.js';
import type * as wire from '../../proto/gen/navarch/objects/v1/objects.js';
import type { Endpoint, EndpointPool } from './endpoint-pool.js';

export interface GrpcObjectServiceOptions {
  readonly pool: EndpointPool;
  readonly clock: Clock;
  /** For every call but watches. */
  readonly callTimeout_ms: number;
  /** Asked before each call; undefined: the connection's certificate says who we are. */
  readonly token?: () => string | Promise<string>;
}

interface Written {
  readonly object: wire.ObjectData | undefined;
  readonly report: wire.WriteReport | undefined;
}

/** May the call be repeated when nobody knows whether it happened? */
type Repeat = 'safe' | 'unsafe';

export class GrpcObjectService implements ObjectService {
  readonly #options: GrpcObjectServiceOptions;

  constructor(options: GrpcObjectServiceOptions) {
    this.#options = options;
  }

  async get(request: GetRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    const { object } = await this.#unary(methods.get, messages.toGet(request), 'safe', options);
    return messages.fromObjectData(object);
  }

  list(request: ListRequest, options: CallOptions = {}): Promise<ObjectList> {
    return this.#list(methods.list, messages.toList(request), 'safe', options);
  }

  deleteCollection(request: DeleteCollectionRequest, options: CallOptions = {}): Promise<ObjectList> {
    return this.#list(methods.deleteCollection, messages.toDeleteCollection(request), 'unsafe', options);
  }

  async create(request: CreateRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    return written(await this.#unary(methods.create, messages.toCreate(request), 'unsafe', options), options);
  }

  async update(request: UpdateRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    return written(await this.#unary(methods.update, messages.toUpdate(request), 'unsafe', options), options);
  }

  async patch(request: PatchRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    return written(await this.#unary(methods.patch, messages.toPatch(request), 'unsafe', options), options);
  }

  async delete(request: DeleteRequest, options: CallOptions = {}): Promise<DeleteResult> {
    const answer = await this.#unary(methods.delete, messages.toDelete(request), 'unsafe', options);
    return { handle: written(answer, options), gone: answer.gone };
  }

  async *discover(options: CallOptions = {}): AsyncGenerator<readonly ServedResource[]> {
    for await (const message of this.#stream(methods.discover, {}, options)) yield messages.fromDiscovery(message);
  }

  async *watch(request: WatchRequest, options: CallOptions = {}): AsyncGenerator<WatchEvent> {
    for await (const { events } of this.#stream(methods.watch, messages.toWatch(request), options)) {
      for (const event of events) yield messages.fromWatchEvent(event);
    }
  }

  // ---- calls

  /** A stream without a deadline, of whichever member takes it. */
  async *#stream<Q, A>(method: MethodDefinition<Q, A>, message: Q, options: CallOptions): AsyncGenerator<A> {
    const call = await this.#failover('safe', options, (endpoint) =>
      this.#openStream(endpoint, { method, message }, options),
    );
    try {
      yield* call.stream as AsyncIterable<A>;
    } catch (error) {
      throw failureOf(error, options.signal);
    } finally {
      call.end();
    }
  }

  /** Resolves when the server has accepted the call. */
  async #openStream<Q, A>(
    endpoint: Endpoint,
    { method, message }: { readonly method: MethodDefinition<Q, A>; readonly message: Q },
    { signal }: CallOptions,
  ) {
    const metadata = await this.#metadata();
    const { path, requestSerialize, responseDeserialize } = method;
    const stream = endpoint.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      metadata,
    );
    const end = cancelOn(signal, stream);
    try {
      await new Promise<void>((resolve, reject) => {
        stream.once('metadata', () => resolve());
        stream.once('end', () => resolve());
        stream.once('error', reject);
      });
    } catch (error) {
      end();
      throw error;
    }
    return { stream, end };
  }

  #unary<Q, A>(method: MethodDefinition<Q, A>, message: Q, repeat: Repeat, options: CallOptions): Promise<A> {
    return this.#failover(repeat, options, async (endpoint) => {
      const metadata = await this.#metadata();
      return new Promise<A>((resolve, reject) => {
        const call = endpoint.client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          message,
          metadata,
          { deadline: this.#deadline() },
          (error: ServiceError | null, answer?: A) => {
            end();
            if (error !== null) reject(error);
            else if (answer === undefined) reject(apiErrors.internal('an answer without a message'));
            else resolve(answer);
          },
        );
        const end = abortOn(options.signal, () => call.cancel());
      });
    });
  }

  #list<Q>(
    method: MethodDefinition<Q, wire.ListResponse>,
    message: Q,
    repeat: Repeat,
    options: CallOptions,
  ): Promise<ObjectList> {
    return this.#failover(repeat, options, async (endpoint) => {
      const metadata = await this.#metadata();
      const { path, requestSerialize, responseDeserialize } = method;
      const stream = endpoint.client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        metadata,
        { deadline: this.#deadline() },
      );
      const end = cancelOn(options.signal, stream);
      try {
        const items: ObjectHandle[] = [];
        let meta: wire.ListMeta | undefined;
        for await (const chunk of stream as AsyncIterable<wire.ListResponse>) {
          meta ??= chunk.metadata;
          for (const item of chunk.items) items.push(messages.fromObjectData(item));
        }
        if (meta === undefined) throw apiErrors.internal('a list without metadata');
        return { metadata: messages.fromListMeta(meta), items };
      } finally {
        end();
      }
    });
  }

  async #failover<R>(repeat: Repeat, { signal }: CallOptions, attempt: (endpoint: Endpoint) => Promise<R>): Promise<R> {
    const { pool } = this.#options;
    const tried = new Set<Endpoint>();
    for (;;) {
      const endpoint = await pool.pick(tried, signal);
      try {
        return await attempt(endpoint);
      } catch (error) {
        if (signal?.aborted === true || !isServiceError(error)) throw failureOf(error, signal);
        const failure = fromGrpcError(error);
        if (isTransportFault(error)) pool.failed(endpoint);
        tried.add(endpoint);
        // A member without a quorum, or one that shuts down, says ServiceUnavailable itself: another one may know
        // better.
        const again = neverSent(error) || (repeat === 'safe' && failure.reason === 'ServiceUnavailable');
        if (again && tried.size < pool.size) continue;
        throw repeat === 'unsafe' && isTransportFault(error) && !neverSent(error)
          ? apiErrors.serviceUnavailable(
              `the connection to ${endpoint.address} was lost; whether the write happened is unknown (${failure.message})`,
            )
          : failure;
      }
    }
  }

  async #metadata(): Promise<Metadata> {
    const metadata = new Metadata();
    const token = await this.#options.token?.();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  }

  #deadline(): number {
    return this.#options.clock.now() + this.#options.callTimeout_ms;
  }
}

function written({ object, report }: Written, options: CallOptions): ObjectHandle {
  for (const warning of report?.warnings ?? []) options.report?.warn(warning);
  if (report?.created === true) options.report?.created();
  return messages.fromObjectData(object);
}

/** Cancels the stream when the signal aborts; the function that comes back does so at once and forgets the signal. */
function cancelOn(signal: AbortSignal | undefined, stream: ClientReadableStream<unknown>): () => void {
  // The iteration rethrows it; without a listener a late one would end the process.
  stream.on('error', () => undefined);
  const end = abortOn(signal, () => stream.cancel());
  return () => {
    end();
    stream.cancel();
  };
}

function abortOn(signal: AbortSignal | undefined, cancel: () => void): () => void {
  signal?.addEventListener('abort', cancel, { once: true });
  return () => signal?.removeEventListener('abort', cancel);
}

function isServiceError(error: unknown): error is ServiceError {
  return (
    error instanceof Error &&
    typeof (error as Partial<ServiceError>).code === 'number' &&
    typeof (error as Partial<ServiceError>).details === 'string'
  );
}

function failureOf(error: unknown, signal: AbortSignal | undefined): Error {
  if (signal?.aborted === true)
    return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
  if (isServiceError(error)) return fromGrpcError(error);
  return error instanceof Error ? error : new Error(String(error));
}
