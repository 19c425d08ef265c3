/**
 * The endpoints of the Service `kubernetes`: each server keeps an EndpointSlice that names its own REST address. The
 * member that leads the store takes away those of servers that are gone; where the store is elsewhere, every server
 * does.
 */
import { endpointSlices } from '../../../apimachinery/gen/resources.js';
import type { EndpointSlice } from '../../../apimachinery/gen/types.js';
import { isApiError } from '../../../apimachinery/status.js';
import { SERVICE_NAME_LABEL, SLICE_MANAGER_LABEL } from '../../../apimachinery/well-known.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import { Coalesced } from '../../../platform/coalesced.js';
import type { Logger } from '../../../platform/log.js';
import type { Service } from '../../../platform/service.js';
import type { Client } from '../../../sdk/client.js';
import type { StoreMember } from '../../store/member/start.js';
import type { Presence } from './presence.js';

export interface ApiEndpointsOptions {
  readonly client: Client;
  readonly member: StoreMember | undefined;
  readonly presence: Pick<Presence, 'servers'>;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NAMESPACE = 'default';
const SERVICE = 'kubernetes';
const MANAGED_BY = 'endpoints.navarch.dev';
const INTERVAL_MS = 2_000;
/** A server that has not been heard for so many looks is taken for gone. */
const MISSES_MAX = 3;
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 413, 422]);

/** What the API says of the object, and will say again. */
const isRefusal = (error: unknown): boolean => isApiError(error) && REFUSALS.has(error.code);

const sliceName = (member: string) => `${SERVICE}-${member}`;

export class ApiEndpoints implements Service {
  readonly name = 'api endpoints';
  readonly #options: ApiEndpointsOptions;
  readonly #misses = new Map<string, number>();
  /** Why the last attempt was refused; '' when it was not. */
  #refusal = '';
  #timer: Timer | undefined;
  readonly #looks = new Coalesced({ run: () => this.#look(), onFailure: (error) => this.#report(error) });

  constructor(options: ApiEndpointsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#look().catch((error: unknown) => this.#report(error));
    this.#timer = this.#options.clock.every(INTERVAL_MS, () => this.#looks.request());
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#looks.stop();
  }

  async #look(): Promise<void> {
    await this.#keepOwn();
    await this.#removeGone();
    this.#refusal = '';
  }

  /**
   * Until there is a leader, and while others write, attempts fail as a matter of course. A refusal lasts: it is said
   * once, and when it changes.
   */
  #report(error: unknown): void {
    const { logger } = this.#options;
    const refusal = isRefusal(error) ? String(error) : '';
    if (refusal !== '' && refusal !== this.#refusal)
      logger.warn(
        { error: refusal },
        'the endpoints of the API are refused: the Service "kubernetes" may lead nowhere; trying again',
      );
    else logger.debug({ error: String(error) }, 'the endpoints of the API could not be written; trying again');
    if (refusal !== '') this.#refusal = refusal;
  }

  async #keepOwn(): Promise<void> {
    const { client, name, host, port } = this.#options;
    const wanted: EndpointSlice = {
      metadata: {
        name: sliceName(name),
        namespace: NAMESPACE,
        labels: { [SERVICE_NAME_LABEL]: SERVICE, [SLICE_MANAGER_LABEL]: MANAGED_BY, 'navarch.dev/member': name },
      },
      addressType: 'IPv4',
      ports: [{ name: 'https', port, protocol: 'TCP' }],
      endpoints: [{ addresses: [host], conditions: { ready: true } }],
    };
    const ref = { namespace: NAMESPACE, name: sliceName(name) };
    const stored = await client.get(endpointSlices, ref, { resourceVersion: '0' }).catch((error: unknown) => {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    });
    if (stored === undefined) await client.create(endpointSlices, wanted);
    else if (stored.endpoints?.[0]?.addresses[0] !== host || stored.ports?.[0]?.port !== port) {
      await client.update(endpointSlices, { ...stored, ports: wanted.ports ?? [], endpoints: wanted.endpoints ?? [] });
    }
  }

  async #removeGone(): Promise<void> {
    const { client, name } = this.#options;
    const alive = await this.#alive();
    if (alive === undefined) {
      this.#misses.clear();
      return;
    }
    const { items } = await client.list(endpointSlices, {
      namespace: NAMESPACE,
      labelSelector: `${SERVICE_NAME_LABEL}=${SERVICE}`,
      resourceVersion: '0',
    });
    for (const slice of items) {
      const owner = slice.metadata?.labels?.['navarch.dev/member'];
      if (owner === undefined || owner === name || alive.has(owner)) {
        if (owner !== undefined) this.#misses.delete(owner);
        continue;
      }
      const misses = (this.#misses.get(owner) ?? 0) + 1;
      this.#misses.set(owner, misses);
      if (misses < MISSES_MAX) continue;
      await client
        .delete(endpointSlices, { namespace: NAMESPACE, name: slice.metadata?.name ?? '' })
        .catch((error: unknown) => {
          if (!isApiError(error, 'NotFound')) throw error;
        });
    }
  }
  /** As far as this server can judge; undefined when it is another's business. */
  async #alive(): Promise<ReadonlySet<string> | undefined> {
    const { member, presence } = this.#options;
    const others = presence
      .servers()
      .filter((server) => server.alive)
      .map((server) => server.name);
    if (member === undefined) return new Set(others);
    const { role, membership, progress, id } = await member.raftStatus();
    if (role !== 'leader') return undefined;
    const peers = new Set(membership.peers.map((peer) => peer.name));
    const heard = membership.peers
      .filter((peer) => peer.id === id || progress[peer.id]?.active === true)
      .map((peer) => peer.name);
    // Raft knows its own sooner than their leases do.
    return new Set([...heard, ...others.filter((server) => !peers.has(server))]);
  }
}
