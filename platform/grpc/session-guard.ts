/**
 * One connection to a gRPC listener: who is at its end, and how many streams and bytes it may have open. A caller
 * without a certificate has little until a call on the connection shows a token that is good.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Clock, Timer } from '../clock.js';
import { Rate } from '../net/rate.js';
import { ByteBudget } from './byte-budget.js';
import { GuardedStream } from './guarded-stream.js';
import type { GuardLimits } from './limits.js';
import { CODES, refuseStream } from './refusal.js';
import { standingOf, type Standing } from './standing.js';

export interface SessionShared {
  readonly limits: GuardLimits;
  readonly clock: Clock;
  /** Of the process. */
  readonly budget: ByteBudget<GuardedStream>;
  /** Counts a stream of the process, until `leave`; false: there are too many. */
  enter(): boolean;
  leave(): void;
  /** Whether the value of an `authorization` header is good. Rejects when nobody can say now. */
  authenticates(authorization: string): Promise<boolean>;
}

type Forward = (stream: ServerHttp2Stream) => void;

/** With these codes clients reset streams, and we do not. */
const CLIENTS_OWN: ReadonlySet<number> = new Set([
  constants.NGHTTP2_CANCEL,
  constants.NGHTTP2_INTERNAL_ERROR,
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_STREAM_CLOSED,
]);
const ignore = () => undefined;
const UNAUTHENTICATED = { code: CODES.unauthenticated, message: 'Unauthorized' } as const;

export class SessionGuard {
  readonly #session: ServerHttp2Session;
  readonly #shared: SessionShared;
  readonly #budget: ByteBudget<GuardedStream>;
  readonly #budgets: readonly ByteBudget<GuardedStream>[];
  #standing: Standing;
  #rate: Rate;
  #resets: Rate;
  #open = 0;
  #idle: Timer | undefined;
  #isEnding = false;
  #onIdentified: () => void = () => undefined;

  constructor(session: ServerHttp2Session, shared: SessionShared) {
    this.#session = session;
    this.#shared = shared;
    this.#standing = standingOf(session);
    const { limits, clock } = shared;
    this.#budget = new ByteBudget(limits.identified.unfinished_bytes);
    this.#budgets = [this.#budget, shared.budget];
    const { newStreams, resets } = this.isIdentified ? limits.identified : limits.anonymous;
    this.#rate = new Rate(newStreams, clock.monotonic());
    this.#resets = new Rate(resets, clock.monotonic());
    if (this.isIdentified) this.#allowStreams();
    session.once('close', () => this.#idle?.cancel());
    this.#watchIdle();
  }

  get isIdentified(): boolean {
    return this.#standing.kind === 'identified';
  }

  /** Called once, when a token has shown who this is. */
  onIdentified(listener: () => void): void {
    this.#onIdentified = listener;
  }

  /** Judges a new stream; one that is let in is given to `forward`. */
  take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, forward: Forward): void {
    const { limits, clock } = this.#shared;
    const isIdentified = this.isIdentified;
    // A stream that breaks says so by its close. Handlers listen themselves; here that waits, or is refused.
    if (!isIdentified) stream.on('error', ignore);
    if (this.#isEnding) {
      // It goes with its session.
      stream.on('error', ignore);
      return;
    }
    if (!this.#rate.take(clock.monotonic())) {
      this.#tooMany(stream);
      return;
    }
    if (this.#open >= (isIdentified ? limits.identified : limits.anonymous).streams || !this.#shared.enter()) {
      stream.on('error', ignore);
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    const guarded = new GuardedStream(stream, this.#budgets);
    this.#opened(stream, guarded);
    const encoding = headers['grpc-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      // A few bytes would become many before anybody has counted them.
      refuseStream(stream, {
        code: CODES.unimplemented,
        message: `requests are not taken in the encoding "${String(encoding).slice(0, 32)}": send them as they are`,
      });
      return;
    }
    this.#judge(guarded, headers, forward);
  }

  /** Ends messages that take too long. */
  sweep(now_ms: number): void {
    const { message_ms } = this.#shared.limits.identified;
    for (const stream of [...this.#budget.holders()])
      if (now_ms - (stream.unfinishedSince_ms ?? now_ms) > message_ms) stream.evict();
  }

  #judge(guarded: GuardedStream, headers: IncomingHttpHeaders, forward: Forward): void {
    const { stream } = guarded;
    const standing = this.#standing;
    const { authorization } = headers;
    if (standing.kind === 'identified') {
      if (this.#shared.clock.now() >= standing.until_ms) refuseStream(stream, UNAUTHENTICATED);
      else this.#forward(guarded, forward);
    } else if (authorization !== undefined) {
      this.#limitLife(stream);
      this.#authenticate(guarded, authorization, forward);
    } else if (standing.kind === 'refused') {
      refuseStream(stream, UNAUTHENTICATED);
    } else {
      this.#limitLife(stream);
      this.#limitRequest(stream);
      forward(stream);
    }
  }

  /** Until it is known who calls, nothing of the request is read: what has arrived waits in the stream's window. */
  #authenticate(guarded: GuardedStream, authorization: string, forward: Forward): void {
    const { stream } = guarded;
    this.#shared.authenticates(authorization).then(
      (isKnown) => {
        if (stream.destroyed || stream.closed) return;
        if (!isKnown) {
          refuseStream(stream, UNAUTHENTICATED);
          return;
        }
        this.#identified();
        this.#forward(guarded, forward);
      },
      () => refuseStream(stream, { code: CODES.unavailable, message: 'it cannot be checked now who calls; try again' }),
    );
  }

  #identified(): void {
    if (this.isIdentified) return;
    const { limits, clock } = this.#shared;
    this.#standing = { kind: 'identified', until_ms: Infinity };
    this.#rate = new Rate(limits.identified.newStreams, clock.monotonic());
    this.#resets = new Rate(limits.identified.resets, clock.monotonic());
    this.#idle?.cancel();
    this.#onIdentified();
    this.#allowStreams();
  }

  #allowStreams(): void {
    const session = this.#session;
    if (!session.destroyed && !session.closed)
      session.settings({ maxConcurrentStreams: this.#shared.limits.identified.streams });
  }

  #forward(guarded: GuardedStream, forward: Forward): void {
    guarded.watch(this.#shared.clock);
    forward(guarded.stream);
  }

  /** The deadline of a caller that nobody knows; one that is known by then is left alone. */
  #limitLife(stream: ServerHttp2Stream): void {
    const { clock, limits } = this.#shared;
    const timer = clock.after(limits.anonymous.call_ms, () => {
      if (!this.isIdentified)
        refuseStream(stream, {
          code: CODES.deadlineExceeded,
          message: 'a call without credentials may not take so long',
        });
    });
    stream.once('close', () => timer.cancel());
  }

  #limitRequest(stream: ServerHttp2Stream): void {
    const { request_bytes } = this.#shared.limits.anonymous;
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > request_bytes)
        refuseStream(stream, {
          code: CODES.resourceExhausted,
          message: `a request without credentials may have ${request_bytes} bytes`,
        });
    });
  }

  #opened(stream: ServerHttp2Stream, guarded: GuardedStream): void {
    this.#open++;
    this.#idle?.cancel();
    stream.once('close', () => {
      this.#open--;
      this.#shared.leave();
      guarded.release();
      // Neither an orderly end, nor one of ours.
      if (
        stream.rstCode !== undefined &&
        CLIENTS_OWN.has(stream.rstCode) &&
        !this.#resets.take(this.#shared.clock.monotonic())
      )
        this.#end();
      this.#watchIdle();
    });
  }

  #watchIdle(): void {
    if (this.isIdentified || this.#open > 0 || this.#session.destroyed) return;
    const { clock, limits } = this.#shared;
    this.#idle = clock.after(limits.anonymous.idle_ms, () => this.#session.close());
  }

  /** Streams that come too fast: of a known caller they come again, of an unknown one the connection ends. */
  #tooMany(stream: ServerHttp2Stream): void {
    stream.on('error', ignore);
    if (this.isIdentified) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else this.#end();
  }

  /**
   * Not at once: we are called while a frame is read, and a session that ends in the middle of that may end the process
   * (node#38964, node#64850).
   */
  #end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#shared.clock.immediate(() => this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM));
  }
}
