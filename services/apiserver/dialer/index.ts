/**
 * The dialer: connections from this member to Services, pods, nodes and urls.
 *
 * In: targets (apimachinery/dialer.ts). Out: duplex streams. `resolve.ts` finds the endpoints of a target in the
 * watch cache, `address.ts` decides which addresses may be dialled, `stream.ts` makes a duplex stream of a
 * worker's stream, `tls.ts` secures one for callers. Pods and nodes are reached through the stream of their
 * worker, which has a session with every member; urls from this member directly. Every dial checks the address,
 * and dials the one that it has checked. It must never follow a redirect, keep a connection for a second caller,
 * or dial an address because an object contains it.
 */
import type { Duplex } from 'node:stream';
import type { DialOptions, Dialer, DialTarget } from '../../../apimachinery/dialer.js';
import type { PodStreamer } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type { ObjectReader } from '../ports.js';
import { addressesOf, systemNetwork, type Network } from './network.js';
import { endpointsOf, type Endpoint } from './resolve.js';
import { Slots, type SlotLimits } from './slots.js';
import { StreamDuplex } from './stream.js';

export interface DialerOptions {
  readonly reader: ObjectReader;
  readonly streamer: PodStreamer;
  readonly clock: Clock;
  readonly random: Random;
  /** Names and connections outside of the pod network; the system's when absent. */
  readonly network?: Network;
  readonly limits?: Partial<DialLimits>;
}

export interface DialLimits extends SlotLimits {
  /** Without a byte in either direction a connection ends. */
  readonly idle_ms: number;
}

const DIAL_LIMITS: DialLimits = { total: 1024, perTarget: 128, idle_ms: 10 * 60_000 };
const TIMEOUT_MS = 10_000;
/** Addresses of a name that are tried. */
const ADDRESSES_TRIED_MAX = 2;

const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port < 65_536;

export function createDialer(options: DialerOptions): Dialer {
  return new ClusterDialer(options);
}

class ClusterDialer implements Dialer {
  readonly #options: DialerOptions;
  readonly #network: Network;
  readonly #limits: DialLimits;
  readonly #slots: Slots;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#network = options.network ?? systemNetwork;
    this.#limits = { ...DIAL_LIMITS, ...options.limits };
    this.#slots = new Slots(this.#limits);
  }

  async dial(target: DialTarget, { signal, timeout_ms = TIMEOUT_MS }: DialOptions): Promise<Duplex> {
    signal.throwIfAborted();
    if (typeof target.port === 'number' && !isPort(target.port))
      throw apiErrors.badRequest(`${target.port} is not a port: 1 to 65535`);
    const name = nameOf(target);
    const leave = this.#slots.enter(name);
    if (leave === undefined) throw apiErrors.tooManyRequests(`too many connections to ${name} are open`, 1);
    const life = new AbortController();
    const onAbort = () => life.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = this.#options.clock.after(timeout_ms, () =>
      life.abort(apiErrors.timeout(`${name} was not reached within ${timeout_ms} ms`)),
    );
    const over = () => {
      signal.removeEventListener('abort', onAbort);
      leave();
    };
    try {
      const connection = await unlessAborted(this.#connect(target, life.signal), life.signal);
      connection.once('close', over);
      // A caller that does not listen yet must not end the member.
      connection.on('error', () => undefined);
      life.signal.addEventListener('abort', () => connection.destroy(life.signal.reason as Error), { once: true });
      return connection;
    } catch (error) {
      over();
      life.abort(error);
      throw error;
    } finally {
      timer.cancel();
    }
  }

  async #connect(target: DialTarget, signal: AbortSignal): Promise<Duplex> {
    const { reader, random } = this.#options;
    const endpoints = target.kind === 'url' ? [target] : await endpointsOf(target, { reader, random });
    let failure: unknown;
    for (const endpoint of endpoints) {
      try {
        return await this.#open(endpoint, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure ??= error;
      }
    }
    throw target.kind === 'service'
      ? apiErrors.serviceUnavailable(`${nameOf(target)} was not reached: ${messageOf(failure)}`)
      : failure;
  }

  async #open(endpoint: Endpoint, signal: AbortSignal): Promise<Duplex> {
    const { streamer, clock } = this.#options;
    const limits = { idle_ms: this.#limits.idle_ms, clock };
    switch (endpoint.kind) {
      case 'url':
        return this.#openUrl(endpoint, signal);
      case 'node':
        return new StreamDuplex(
          await streamer.open(endpoint.name, { kind: 'node-port', port: endpoint.port }, { signal }),
          limits,
        );
      case 'pod': {
        const { kind: _, node, ...pod } = endpoint;
        return new StreamDuplex(await streamer.open(node, { kind: 'port-forward', ...pod }, { signal }), limits);
      }
    }
  }

  async #openUrl(
    { host, port }: { readonly host: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<Duplex> {
    let failure: unknown;
    for (const address of (await addressesOf(host, this.#network)).slice(0, ADDRESSES_TRIED_MAX)) {
      try {
        return await this.#network.connect({ host: address, port, signal, idle_ms: this.#limits.idle_ms });
      } catch (error) {
        signal.throwIfAborted();
        failure ??= error;
      }
    }
    throw apiErrors.serviceUnavailable(`"${host}:${port}" was not reached: ${messageOf(failure)}`);
  }
}

const messageOf = (failure: unknown): string => (failure instanceof Error ? failure.message : String(failure));

/** A connection that comes after the abort is closed. */
function unlessAborted(connecting: Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    void connecting
      .then((connection) => {
        if (signal.aborted) connection.destroy();
        resolve(connection);
      }, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function nameOf(target: DialTarget): string {
  switch (target.kind) {
    case 'service':
      return `service "${target.namespace}/${target.name}"`;
    case 'pod':
      return `pod "${target.namespace}/${target.name}"`;
    case 'node':
      return `node "${target.name}"`;
    case 'url':
      return `"${target.host}:${target.port}"`;
  }
}
