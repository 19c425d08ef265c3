/**
 * The members of a cluster as one client sees them. It stays with one endpoint while that is well, and moves to
 * whichever other one is ready first. It knows connections, not calls.
 */
import { Client, connectivityState } from '@grpc/grpc-js';
import type { ChannelCredentials, ChannelOptions, ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { apiErrors } from '../../apimachinery/status.js';

export interface EndpointPoolOptions {
  /** `host:port`. */
  readonly addresses: readonly string[];
  readonly credentials: () => ChannelCredentials;
  readonly channelOptions: (address: string) => ChannelOptions;
  readonly clock: Clock;
  readonly random: Random;
  /** How long `pick` waits for any endpoint. */
  readonly connectTimeout_ms: number;
}

export interface Endpoint {
  readonly address: string;
  readonly client: Client;
}

/** An endpoint whose call just failed is asked again only after this time, unless all have failed. */
const REST_MS = 1000;
const DIAGNOSIS_MS = 1000;

interface Member extends Endpoint {
  client: Client;
  restUntil_ms: number;
}

export class EndpointPool {
  readonly #options: EndpointPoolOptions;
  readonly #members: Member[];
  #current: number;

  constructor(options: EndpointPoolOptions) {
    if (options.addresses.length === 0) throw apiErrors.badRequest('no endpoint was given');
    this.#options = options;
    this.#members = options.addresses.map((address) => ({
      address,
      client: this.#clientFor(address),
      restUntil_ms: -Infinity,
    }));
    // Clients that start together spread over the members.
    this.#current = options.random.int(this.#members.length);
  }

  get size(): number {
    return this.#members.length;
  }

  /**
   * An endpoint with a live connection that is not among `tried`. Throws ApiError ServiceUnavailable when there is none
   * in time, and the signal's reason when it aborts.
   */
  async pick(tried: ReadonlySet<Endpoint>, signal?: AbortSignal): Promise<Endpoint> {
    signal?.throwIfAborted();
    const left = this.#members.filter((member) => !tried.has(member));
    const now_ms = this.#options.clock.monotonic();
    const rested = left.filter((member) => member.restUntil_ms <= now_ms);
    const candidates = this.#fromCurrent(rested.length > 0 ? rested : left);
    const ready = candidates.find(
      (member) => member.client.getChannel().getConnectivityState(true) === connectivityState.READY,
    );
    const chosen = ready ?? (await this.#firstReady(candidates, signal));
    this.#current = this.#members.indexOf(chosen);
    return chosen;
  }

  /** A call on it failed for want of a connection. */
  failed(endpoint: Endpoint): void {
    const member = this.#members.find((candidate) => candidate === endpoint);
    if (member !== undefined) member.restUntil_ms = this.#options.clock.monotonic() + REST_MS;
  }

  /** Connects anew with fresh credentials. Calls under way go on over the old connections. */
  renew(): void {
    for (const member of this.#members) {
      const old = member.client;
      member.client = this.#clientFor(member.address);
      old.close();
    }
  }

  close(): void {
    for (const member of this.#members) member.client.close();
  }

  #clientFor(address: string): Client {
    return new Client(address, this.#options.credentials(), this.#options.channelOptions(address));
  }

  #fromCurrent(members: readonly Member[]): Member[] {
    const order = (member: Member) => (this.#members.indexOf(member) - this.#current + this.size) % this.size;
    return members.toSorted((a, b) => order(a) - order(b));
  }

  #firstReady(candidates: readonly Member[], signal: AbortSignal | undefined): Promise<Member> {
    const { clock, connectTimeout_ms } = this.#options;
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason as Error);
      const settle = (act: () => void) => {
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      let waiting = candidates.length;
      for (const member of candidates) {
        member.client.waitForReady(clock.now() + connectTimeout_ms, (error) => {
          waiting--;
          if (error === undefined) settle(() => resolve(member));
          else if (waiting === 0) {
            // The pool may have been closed while this was waited for: then there is nobody left to ask.
            this.#explain(candidates)
              .catch((failed: unknown) => failed as Error)
              .then((reason) => settle(() => reject(reason)), reject);
          }
        });
      }
      if (waiting === 0) settle(() => reject(apiErrors.serviceUnavailable('every endpoint has been tried')));
    });
  }

  /** Why nobody can be reached: gRPC tells it only to a call that fails. */
  async #explain(candidates: readonly Member[]): Promise<Error> {
    const reasons = await Promise.all(
      candidates.map(
        (member) =>
          new Promise<string>((resolve) => {
            const nothing = Buffer.alloc(0);
            const deadline = this.#options.clock.now() + DIAGNOSIS_MS;
            const asIs = (bytes: Buffer) => bytes;
            member.client.makeUnaryRequest(
              '/navarch.objects.v1.ObjectService/Get',
              asIs,
              asIs,
              nothing,
              { deadline },
              (error: ServiceError | null) => resolve(`${member.address}: ${error?.details ?? 'reachable now'}`),
            );
          }),
      ),
    );
    return apiErrors.serviceUnavailable(`no endpoint could be reached: ${reasons.join('; ')}`);
  }
}
