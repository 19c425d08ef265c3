/**
 * Which servers there are and which of them are alive: each keeps a Lease of its own in kube-system, with its
 * addresses, and watches everybody's. For those that hold no store there is no other way; members know each other by
 * Raft too, and renew theirs seldom.
 */
import { leases } from '../../../apimachinery/gen/resources.js';
import type { Lease } from '../../../apimachinery/gen/types.js';
import { isApiError } from '../../../apimachinery/status.js';
import { toMicroTime, type Clock, type Timer } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { Service } from '../../../platform/service.js';
import type { Client } from '../../../sdk/client.js';
import { observe, type Observation } from '../../../sdk/leaderelection/lease-record.js';

export interface PresenceOptions {
  readonly client: Client;
  /** Unique among the servers of the cluster. */
  readonly name: string;
  /** Differs from start to start. */
  readonly identity: string;
  /** host:port of the gRPC listener. */
  readonly grpcAddress: string;
  readonly renewal_ms: number;
  /** Whether a stop takes the lease away; without, it runs out. */
  readonly saysGoodbye: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface KnownServer {
  readonly name: string;
  readonly grpcAddress: string;
  readonly alive: boolean;
}

const NAMESPACE = 'kube-system';
/** As Kubernetes labels the Leases of its API servers. */
const IDENTITY_LABEL = 'apiserver.kubernetes.io/identity';
const LABELS = { [IDENTITY_LABEL]: 'navarch' };
const SERVER_LABEL = 'navarch.dev/server';
const GRPC_ANNOTATION = 'navarch.dev/grpc-address';
const LOOK_MS = 2_000;
/** Silent for so many renewals, a server is taken for dead. */
const RENEWALS_IN_LEASE = 4;
const GOODBYE_MS = 1_000;
/** Silent for so many times its lease, it is forgotten. */
const FORGOTTEN_LEASES = 20;

const leaseName = (server: string) => `apiserver-${server}`;

export class Presence implements Service {
  readonly name = 'presence';
  readonly #options: PresenceOptions;
  readonly #observed = new Map<string, Observation>();
  readonly #listeners = new Set<() => void>();
  readonly #abort = new AbortController();
  #timers: Timer[] = [];
  #working: Promise<void> = Promise.resolve();
  #held = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** This one included, once its lease was seen. */
  servers(): readonly KnownServer[] {
    const now_ms = this.#options.clock.monotonic();
    return [...this.#observed.values()].map((observation) => {
      const { metadata } = observation.lease;
      return {
        name: metadata?.labels?.[SERVER_LABEL] ?? '',
        grpcAddress: metadata?.annotations?.[GRPC_ANNOTATION] ?? '',
        alive: silence(observation, now_ms) < 1,
      };
    });
  }

  onLook(listener: () => void): void {
    this.#listeners.add(listener);
  }

  start(): Promise<void> {
    const { clock, renewal_ms } = this.#options;
    // Not awaited: a store that cannot be written now must not hold up the rest.
    this.#work(() => this.#renew());
    this.#timers = [
      clock.every(renewal_ms, () => this.#work(() => this.#renew())),
      clock.every(LOOK_MS, () => this.#work(() => this.#look())),
    ];
    return Promise.resolve();
  }

  /** A member without a quorum must not wait here for a write: its peers know anyhow. */
  async stop(): Promise<void> {
    if (this.#timers.length === 0) return;
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    this.#abort.abort(new Error('the server stops'));
    const { client, name, saysGoodbye } = this.#options;
    if (!saysGoodbye) return;
    await this.#working;
    await client
      .delete(leases, { namespace: NAMESPACE, name: leaseName(name) }, { signal: AbortSignal.timeout(GOODBYE_MS) })
      .catch(() => undefined);
  }

  /** One thing after the other; what fails is tried again at the next tick. */
  #work(task: () => Promise<void>): void {
    this.#working = this.#working.then(task).catch((error: unknown) => {
      this.#options.logger.debug(
        { error: String(error) },
        'the leases of the servers could not be read or written; trying again',
      );
    });
  }

  async #renew(): Promise<void> {
    const { client, name, identity, grpcAddress, renewal_ms, clock, logger } = this.#options;
    const { signal } = this.#abort;
    const now = toMicroTime(clock.now());
    const stored = await client
      .get(leases, { namespace: NAMESPACE, name: leaseName(name) }, { signal })
      .catch((error: unknown) => {
        if (isApiError(error, 'NotFound')) return undefined;
        throw error;
      });
    const holder = stored?.spec?.holderIdentity;
    const own = holder === identity;
    if (stored !== undefined && !own && this.#held)
      logger.warn({ holder }, "another server uses this one's name: give each its own --name");
    const wanted: Lease = {
      metadata: {
        ...stored?.metadata,
        name: leaseName(name),
        namespace: NAMESPACE,
        labels: { ...LABELS, [SERVER_LABEL]: name },
        annotations: { [GRPC_ANNOTATION]: grpcAddress },
      },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil((renewal_ms * RENEWALS_IN_LEASE) / 1000),
        renewTime: now,
        acquireTime: own ? (stored?.spec?.acquireTime ?? now) : now,
      },
    };
    if (stored === undefined) await client.create(leases, wanted, { signal });
    else await client.update(leases, wanted, { signal });
    if (!this.#held) {
      this.#held = true;
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { client, clock, name } = this.#options;
    const { signal } = this.#abort;
    const { items } = await client.list(leases, {
      namespace: NAMESPACE,
      labelSelector: `${IDENTITY_LABEL}=${LABELS[IDENTITY_LABEL]}`,
      resourceVersion: '0',
      signal,
    });
    const now_ms = clock.monotonic();
    const names = new Set(items.map((lease) => lease.metadata?.name ?? ''));
    for (const gone of [...this.#observed.keys()].filter((one) => !names.has(one))) this.#observed.delete(gone);
    for (const lease of items) {
      const key = lease.metadata?.name ?? '';
      const observation = observe(this.#observed.get(key), lease, now_ms);
      this.#observed.set(key, observation);
      if (key === leaseName(name) || silence(observation, now_ms) < FORGOTTEN_LEASES) continue;
      await client.delete(leases, { namespace: NAMESPACE, name: key }, { signal }).catch(() => undefined);
    }
    for (const listener of this.#listeners) listener();
  }
}

/** How long it has not been renewed, in lengths of the lease, by our own clock. */
function silence({ lease, observed_ms }: Observation, now_ms: number): number {
  return (now_ms - observed_ms) / (Math.max(1, lease.spec?.leaseDurationSeconds ?? 1) * 1000);
}
