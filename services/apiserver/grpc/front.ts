/**
 * The gRPC front: navarch.objects.v1 on the registry.
 *
 * In: calls with a client certificate or a bearer token. Out: the registry's answers as bytes it already holds, its
 * errors as gRPC status. The front authenticates, authorizes, translates and paces; it knows no kind and no store. It
 * owns no server: whoever does adds `definition` and `implementation` to it.
 */
import type { ServerUnaryCall, ServerWritableStream, handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import * as messages from '../../../apimachinery/grpc/object-messages.js';
import { toGrpcFailure } from '../../../apimachinery/grpc/status.js';
import type {
  CallOptions,
  ListRequest,
  ObjectHandle,
  ObjectList,
  ObjectService,
  UserInfo,
} from '../../../apimachinery/object-service.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { ObjectServiceService } from '../../../proto/gen/navarch/objects/v1/objects.js';
import type * as wire from '../../../proto/gen/navarch/objects/v1/objects.js';
import { authorizeCall, authorizeDiscovery, type AskedObjects, type Verb } from '../auth/authorize-call.js';
import type { Authenticator, Authorizer } from '../ports.js';
import type { Heavy, HeavyWork } from '../work/heavy-work.js';
import { CallIdentity } from './identity.js';
import type { IdentifiedCall } from './identity.js';
import { EventBatcher, StreamWriter } from './stream-writer.js';

export interface ObjectFrontOptions {
  /** The registry as an authenticated user. */
  as(user: UserInfo): ObjectService;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** Shared with the other fronts of this process. */
  readonly heavy: HeavyWork;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A client that takes nothing from its stream for so long is closed; 30,000 when absent. */
  readonly stall_ms?: number;
}

export interface ObjectFront {
  readonly definition: typeof ObjectServiceService;
  readonly implementation: wire.ObjectServiceServer;
}

/** Bytes of objects in one message of a stream. */
const CHUNK_BYTES = 256 * 1024;
const STALL_MS = 30_000;

/** One call, once it is known who calls. */
interface Session {
  readonly service: ObjectService;
  readonly options: CallOptions;
  readonly report: wire.WriteReport;
  /** Throws ApiError Forbidden unless the caller may. */
  allow(verb: Verb, asked: AskedObjects): Promise<void>;
  /** The same for the list of what is served. */
  allowDiscovery(): Promise<void>;
}

type AnyCall = IdentifiedCall &
  Pick<ServerUnaryCall<unknown, unknown>, 'cancelled'> & {
    on(event: 'cancelled', listener: () => void): unknown;
  };

export function createObjectFront(options: ObjectFrontOptions): ObjectFront {
  const calls = new Calls(options);
  const implementation: wire.ObjectServiceServer = {
    discover: calls.discover(),
    get: calls.unary(async ({ service, options: call, allow }, message: wire.GetRequest): Promise<wire.GetResponse> => {
      const request = messages.fromGet(message);
      await allow('get', request);
      return { object: messages.toObjectData(await service.get(request, call)) };
    }),
    list: calls.list(async ({ service, options: call, allow }, message: wire.ListRequest) => {
      const request = messages.fromList(message);
      await allow('list', request);
      return service.list(request, call);
    }),
    watch: calls.watch(),
    create: calls.unary(
      async ({ service, options: call, allow, report }, message: wire.CreateRequest): Promise<wire.CreateResponse> => {
        const request = messages.fromCreate(message);
        await allow('create', request);
        return { object: messages.toObjectData(await service.create(request, call)), report };
      },
      ({ object }) => object.length,
    ),
    update: calls.unary(
      async ({ service, options: call, allow, report }, message: wire.UpdateRequest): Promise<wire.UpdateResponse> => {
        const request = messages.fromUpdate(message);
        await allow('update', request);
        return {
          object: messages.toObjectData(
            await service.update(request, { ...call, mayCreate: () => allow('create', request) }),
          ),
          report,
        };
      },
      ({ object }) => object.length,
    ),
    patch: calls.unary(
      async ({ service, options: call, allow, report }, message: wire.PatchRequest): Promise<wire.PatchResponse> => {
        const request = messages.fromPatch(message);
        await allow('patch', request);
        return {
          object: messages.toObjectData(
            await service.patch(request, { ...call, mayCreate: () => allow('create', request) }),
          ),
          report,
        };
      },
      ({ patch }) => patch.length,
    ),
    delete: calls.unary(
      async ({ service, options: call, allow, report }, message: wire.DeleteRequest): Promise<wire.DeleteResponse> => {
        const request = messages.fromDelete(message);
        await allow('delete', request);
        const { handle, gone } = await service.delete(request, call);
        return { object: messages.toObjectData(handle), gone, report };
      },
    ),
    deleteCollection: calls.list(async ({ service, options: call, allow }, message: wire.DeleteCollectionRequest) => {
      const request = messages.fromDeleteCollection(message);
      await allow('deletecollection', request satisfies ListRequest);
      return service.deleteCollection(request, call);
    }),
  };
  return { definition: ObjectServiceService, implementation };
}

class Calls {
  readonly #options: ObjectFrontOptions;
  readonly #identity: CallIdentity;

  constructor(options: ObjectFrontOptions) {
    this.#options = options;
    this.#identity = new CallIdentity(options.authenticator);
  }

  /** `bytes`: of the object or patch in the message, for calls that carry one. */
  unary<Q, A>(
    run: (session: Session, message: Q) => Promise<A>,
    bytes: (message: Q) => number = () => 0,
  ): handleUnaryCall<Q, A> {
    return (call, callback) => {
      const abort = this.#abortOf(call);
      const heavy = this.#options.heavy.begin(call.getPath());
      this.#open(call, abort, heavy)
        .then(async (session) => {
          await heavy.arrived(bytes(call.request));
          return run(session, call.request);
        })
        .finally(() => heavy.end())
        .then(
          (answer) => callback(null, answer),
          (error: unknown) => callback(this.#failure(error, call)),
        );
    };
  }

  /** Answers with chunks of a list; the first one has the metadata. */
  list<Q>(run: (session: Session, message: Q) => Promise<ObjectList>): handleServerStreamingCall<Q, wire.ListResponse> {
    return this.#stream(async (call, abort) => {
      const { metadata, items } = await run(await this.#open(call, abort), call.request);
      const writer = new StreamWriter(call, this.#pace(abort));
      let first: wire.ListMeta | undefined = messages.toListMeta(metadata);
      for (const chunk of chunksOf(items)) {
        await writer.ready();
        abort.signal.throwIfAborted();
        writer.write({ metadata: first, items: chunk.map(messages.toObjectData) });
        first = undefined;
      }
    });
  }

  discover(): handleServerStreamingCall<wire.DiscoverRequest, wire.DiscoverResponse> {
    return this.#stream(async (call, abort) => {
      const { service, options, allowDiscovery } = await this.#open(call, abort);
      await allowDiscovery();
      call.sendMetadata(new Metadata());
      const writer = new StreamWriter(call, this.#pace(abort));
      for await (const resources of service.discover(options)) {
        await writer.ready();
        writer.write(messages.toDiscovery(resources));
      }
      abort.signal.throwIfAborted();
    });
  }

  watch(): handleServerStreamingCall<wire.WatchRequest, wire.WatchResponse> {
    const { clock } = this.#options;
    return this.#stream(async (call, abort) => {
      const { service, options, allow } = await this.#open(call, abort);
      const request = messages.fromWatch(call.request);
      await allow('watch', request);
      const stream = service.watch(request, options);
      call.sendMetadata(new Metadata());
      const writer = new StreamWriter(call, this.#pace(abort));
      const batcher = new EventBatcher<wire.WatchEvent, wire.WatchResponse>({
        clock,
        writer,
        bytes_max: CHUNK_BYTES,
        sizeOf: (event) => event.object?.json.length ?? 0,
        message: (events) => ({ events }),
      });
      try {
        for await (const event of stream) await batcher.add(messages.toWatchEvent(event));
        // A source that ends without a word when it is aborted must not look like an orderly end.
        abort.signal.throwIfAborted();
      } finally {
        batcher.flush();
      }
    });
  }

  #stream<Q, A>(
    run: (call: ServerWritableStream<Q, A>, abort: AbortController) => Promise<void>,
  ): handleServerStreamingCall<Q, A> {
    return (call) => {
      const abort = this.#abortOf(call);
      call.on('error', () => abort.abort(apiErrors.timeout('the connection was lost')));
      run(call, abort).then(
        () => call.end(),
        (error: unknown) => call.emit('error', this.#failure(error, call)),
      );
    };
  }

  #pace(abort: AbortController) {
    return { clock: this.#options.clock, stall_ms: this.#options.stall_ms ?? STALL_MS, abort };
  }

  async #open(call: AnyCall, abort: AbortController, pace?: Heavy): Promise<Session> {
    const { authorizer, as } = this.#options;
    const user = await this.#identity.of(call);
    abort.signal.throwIfAborted();
    const report: wire.WriteReport = { warnings: [], created: false };
    return {
      service: as(user),
      report,
      options: {
        signal: abort.signal,
        ...(pace === undefined ? {} : { pace }),
        report: { warn: (message) => void report.warnings.push(message), created: () => void (report.created = true) },
      },
      allow: (verb, asked) => authorizeCall({ authorizer, user }, verb, asked),
      allowDiscovery: () => authorizeDiscovery({ authorizer, user }),
    };
  }

  /** Aborts when the client cancels, its deadline passes or its connection breaks. */
  #abortOf(call: AnyCall): AbortController {
    const abort = new AbortController();
    call.on('cancelled', () =>
      abort.abort(apiErrors.timeout('the client cancelled the call, or its deadline has passed')),
    );
    return abort;
  }

  #failure(error: unknown, call: AnyCall) {
    if (!(error instanceof ApiError) && !call.cancelled) {
      const detail = error instanceof Error ? error.stack : String(error);
      this.#options.logger.error({ path: call.getPath(), error: detail }, 'a call failed unexpectedly');
    }
    return toGrpcFailure(error);
  }
}

function* chunksOf(items: readonly ObjectHandle[]): Generator<ObjectHandle[]> {
  let chunk: ObjectHandle[] = [];
  let bytes = 0;
  for (const item of items) {
    chunk.push(item);
    bytes += item.json.length;
    if (bytes < CHUNK_BYTES) continue;
    yield chunk;
    chunk = [];
    bytes = 0;
  }
  // Also for an empty list: its metadata must travel.
  if (chunk.length > 0 || items.length === 0) yield chunk;
}
