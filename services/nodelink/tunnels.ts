/**
 * Streams to pods. A member asks for one over the node's session; the worker answers by opening a Tunnel call that
 * names the id. Ids are unguessable, valid once, and only for the node they were made for.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { PushStream } from '../../platform/stream.js';
import type { Clock } from '../../platform/clock.js';
import type { Part } from '../../platform/containment.js';
import type { Random } from '../../platform/random.js';
import { ApiError, apiErrors } from '../../apimachinery/status.js';
import type { Status } from '../../apimachinery/status.js';
import type { PodStream, PodStreamInput, PodStreamOutput, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import type { OpenTunnel, TunnelRequest, TunnelResponse } from '../../proto/gen/navarch/node/v1/node.js';

type TunnelCall = ServerDuplexStream<TunnelRequest, TunnelResponse>;

const OPEN_TIMEOUT_MS = 10_000;
/** Frames that may wait for a slow client before the call is paused. */
const FRAMES_PAUSE = 16;
const FRAMES_MAX = 4096;

interface Pending {
  readonly node: string;
  readonly accept: (call: TunnelCall) => void;
}

export class Tunnels {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #part: Part;
  readonly #pending = new Map<string, Pending>();

  /** A fault of a stream is one of `part`, and ends the stream. */
  constructor(random: Random, clock: Clock, part: Part) {
    this.#random = random;
    this.#clock = clock;
    this.#part = part;
  }

  /** Asks through `send` and waits until the worker has reached the pod. Rejects with an ApiError. */
  open(
    node: string,
    request: PodStreamRequest,
    options: { readonly signal: AbortSignal; send(message: OpenTunnel): void },
  ): Promise<PodStream> {
    const { signal } = options;
    const id = this.#random.bytes(24).toString('base64url');
    return new Promise((resolve, reject) => {
      const finish = () => {
        timer.cancel();
        this.#pending.delete(id);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        finish();
        reject(signal.reason as Error);
      };
      const timer = this.#clock.after(OPEN_TIMEOUT_MS, () => {
        finish();
        reject(apiErrors.timeout(`node "${node}" did not open a stream within ${OPEN_TIMEOUT_MS / 1000} s`));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      this.#pending.set(id, {
        node,
        accept: (call) => {
          finish();
          new TunnelStream(call, signal, this.#part).ready().then(resolve, reject);
        },
      });
      if (signal.aborted) onAbort();
      else options.send({ tunnelId: id, request: requestMessage(request) });
    });
  }

  /** Takes a call whose first frame names a tunnel; false when there is none of that id for this node. */
  accept(node: string, id: string, call: TunnelCall): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.node !== node) return false;
    pending.accept(call);
    return true;
  }
}

function requestMessage(request: PodStreamRequest): OpenTunnel['request'] {
  if (request.kind === 'node-port') return { $case: 'nodePort', value: { port: request.port } };
  const target = {
    namespace: request.namespace,
    pod: request.pod,
    uid: request.uid,
    container: request.kind === 'port-forward' ? '' : request.container,
  };
  switch (request.kind) {
    case 'exec':
    case 'attach': {
      const { command, stdin, stdout, stderr, tty } = request;
      return {
        $case: 'exec',
        value: { target, attach: request.kind === 'attach', command: [...command], stdin, stdout, stderr, tty },
      };
    }
    case 'log': {
      const { follow, previous, timestamps, tailLines, limitBytes, sinceSeconds, sinceTime, stream } = request;
      const big = (value: number | undefined) => (value === undefined ? undefined : BigInt(Math.trunc(value)));
      return {
        $case: 'log',
        value: {
          target,
          follow,
          previous,
          timestamps,
          tailLines: big(tailLines),
          limitBytes: big(limitBytes),
          sinceSeconds: big(sinceSeconds),
          sinceTime,
          stream,
        },
      };
    }
    case 'port-forward':
      return { $case: 'portForward', value: { target, port: request.port, address: request.address ?? '' } };
  }
}

/** The member's end of one Tunnel call. */
class TunnelStream implements PodStream {
  readonly #call: TunnelCall;
  readonly #frames: PushStream<PodStreamOutput>;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.close();
  #ready: { resolve: (stream: PodStream) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;

  constructor(call: TunnelCall, signal: AbortSignal, parent: Part) {
    this.#call = call;
    this.#signal = signal;
    this.#frames = new PushStream({
      limit: FRAMES_MAX,
      onOverflow: () => apiErrors.internal('a pod stream was not paused in time'),
    });
    const part = parent.child('node-tunnel', () =>
      this.#over(apiErrors.internal('the stream to the node failed on this member')),
    );
    signal.addEventListener('abort', this.#onAbort, { once: true });
    call.on(
      'data',
      part.guard((message: TunnelRequest) => this.#receive(message.frame)),
    );
    call.on(
      'end',
      part.guard(() => this.#over()),
    );
    call.on(
      'cancelled',
      part.guard(() => this.#over(apiErrors.serviceUnavailable('the node closed the stream'))),
    );
    call.on(
      'error',
      part.guard(() => this.#over(apiErrors.serviceUnavailable('the stream to the node broke'))),
    );
  }

  ready(): Promise<PodStream> {
    return new Promise((resolve, reject) => {
      this.#ready = { resolve, reject };
    });
  }

  write(input: PodStreamInput): Promise<void> {
    const more = this.#call.write({ frame: inputFrame(input) });
    if (more) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#call.off('drain', done);
        this.#call.off('close', done);
        this.#call.off('cancelled', done);
        resolve();
      };
      this.#call.on('drain', done);
      this.#call.on('close', done);
      this.#call.on('cancelled', done);
    });
  }

  close(): void {
    this.#over();
    this.#call.resume();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<PodStreamOutput> {
    try {
      for await (const frame of this.#frames) {
        if (this.#frames.size < FRAMES_PAUSE) this.#call.resume();
        yield frame;
      }
    } finally {
      this.close();
    }
  }

  #receive(frame: TunnelRequest['frame']): void {
    switch (frame?.$case) {
      case 'ready':
        this.#ready?.resolve(this);
        this.#ready = undefined;
        return;
      case 'stdout':
      case 'stderr':
        return this.#push({ kind: frame.$case, data: frame.value });
      case 'exit':
        return this.#push({
          kind: 'exit',
          code: frame.value.code,
          ...(frame.value.message === '' ? {} : { message: frame.value.message }),
        });
      case 'failure':
        this.#failure = failureOf(frame.value);
        return this.#over(this.#failure);
      default:
        return undefined;
    }
  }

  #push(output: PodStreamOutput): void {
    this.#frames.push(output);
    if (this.#frames.size >= FRAMES_PAUSE) this.#call.pause();
  }

  #over(error?: Error): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#ready?.reject(error ?? apiErrors.serviceUnavailable('the node closed the stream before it was open'));
    this.#ready = undefined;
    if (error === undefined) this.#frames.end();
    else this.#frames.fail(error);
    this.#call.end();
  }
}

function inputFrame(input: PodStreamInput): TunnelResponse['frame'] {
  switch (input.kind) {
    case 'stdin':
      return { $case: 'stdin', value: Buffer.from(input.data) };
    case 'stdin-end':
      return { $case: 'stdinEnd', value: {} };
    case 'resize':
      return { $case: 'resize', value: { columns: input.columns, rows: input.rows } };
  }
}

/** A worker's word is not trusted to be a Status. */
function failureOf(json: Uint8Array): ApiError {
  try {
    const status = JSON.parse(Buffer.from(json).toString('utf8')) as Partial<Status>;
    if (
      typeof status.code === 'number' &&
      status.code >= 400 &&
      status.code < 600 &&
      typeof status.message === 'string'
    ) {
      return new ApiError({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: status.message,
        reason: status.reason ?? 'InternalError',
        code: status.code,
      });
    }
  } catch {
    // Falls through to the general answer.
  }
  return apiErrors.internal('the node reported a failure that is not a Status');
}
