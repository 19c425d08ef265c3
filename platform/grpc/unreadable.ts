/**
 * Requests that cannot be read, as numbers of 64 bits that the generated code refuses, are the caller's fault:
 * INVALID_ARGUMENT, and why. gRPC itself answers INTERNAL to them, without a reason.
 */
import {
  status,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

export interface Endpoint {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** In the place of a request. It reaches no handler. */
class Unreadable {
  readonly error: Error;

  constructor(path: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const details = `the request of ${path} cannot be read: ${UNSAFE.test(why) ? 'a number in it is beyond ±(2^53 - 1)' : why}`;
    this.error = Object.assign(new Error(details), { code: status.INVALID_ARGUMENT, details });
  }
}

/** What generated readers say of a number that is no safe integer. */
const UNSAFE = /Number\.M(AX|IN)_SAFE_INTEGER/;

export function answeringUnreadable<E extends Endpoint>({ definition, implementation }: E): Endpoint {
  const methods = Object.entries(definition);
  return {
    definition: Object.fromEntries(methods.map(([name, method]) => [name, reading(method)])),
    implementation: Object.fromEntries(
      methods.map(([name, method]) => {
        const handler = implementation[name] as unknown as Handler;
        return [name, (method.requestStream ? streamed : single)(handler.bind(implementation))];
      }),
    ) as unknown as UntypedServiceImplementation,
  };
}

function reading<Q, R>(method: MethodDefinition<Q, R>): MethodDefinition<Q, R> {
  return {
    ...method,
    requestDeserialize: (bytes) => {
      try {
        return method.requestDeserialize(bytes);
      } catch (error) {
        return new Unreadable(method.path, error) as Q;
      }
    },
  };
}

/** Any server call of gRPC; those whose requests come as a stream are pushed them. */
interface AnyCall {
  readonly request?: unknown;
  push(request: unknown): boolean;
  emit(event: 'error', error: Error): unknown;
}
type Callback = (error: Error | null, ...answer: readonly unknown[]) => void;
type Handler = (call: AnyCall, callback?: Callback) => void;

const single =
  (handler: Handler): Handler =>
  (call, callback) => {
    if (!(call.request instanceof Unreadable)) handler(call, callback);
    else if (callback === undefined) call.emit('error', call.request.error);
    else callback(call.request.error);
  };

const streamed =
  (handler: Handler): Handler =>
  (call, callback) => {
    const push = call.push.bind(call);
    let over = false;
    call.push = (request) => {
      if (!(request instanceof Unreadable)) return push(request);
      over = true;
      // gRPC ends the call with what is emitted.
      call.emit('error', request.error);
      return false;
    };
    // Its answer would come after the end.
    handler(call, callback === undefined ? undefined : (error, ...answer) => void (over || callback(error, ...answer)));
  };
