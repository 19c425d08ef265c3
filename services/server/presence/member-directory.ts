/**
 * The gRPC addresses of all servers, as workers are told them: from the store's membership, where this server holds a
 * member of it, and from the leases of those that are alive. Looked at now and then.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Service } from '../../../platform/service.js';
import type { MemberDirectory as Directory } from '../../nodelink/ports.js';
import type { StoreMember } from '../../store/member/start.js';
import { hostPort, type MemberAddress } from '../identity.js';
import type { Presence } from './presence.js';

const INTERVAL_MS = 2_000;

export interface MemberDirectoryOptions {
  /** Absent: this server holds no store. */
  readonly member: StoreMember | undefined;
  readonly presence: Pick<Presence, 'servers' | 'onLook'>;
  readonly address: MemberAddress;
  readonly clock: Clock;
}

export class MemberDirectory implements Directory, Service {
  readonly name = 'member directory';
  readonly id: string;
  readonly #options: MemberDirectoryOptions;
  readonly #listeners = new Set<() => void>();
  #endpoints: readonly string[];
  #timer: Timer | undefined;

  constructor(options: MemberDirectoryOptions) {
    this.#options = options;
    this.id = options.address.name;
    this.#endpoints = [hostPort(options.address.host, options.address.grpcPort)];
  }

  endpoints(): readonly string[] {
    return this.#endpoints;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    await this.#look();
    this.#options.presence.onLook(() => void this.#look());
    this.#timer = this.#options.clock.every(INTERVAL_MS, () => void this.#look());
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }

  async #look(): Promise<void> {
    const { member, presence, address } = this.#options;
    // A member that is stopping answers no more; what was known stays.
    const members = member === undefined ? [] : await member.members().catch(() => undefined);
    if (members === undefined) return;
    const endpoints = [
      ...new Set([
        hostPort(address.host, address.grpcPort),
        ...members.flatMap((peer) => peer.clientAddresses.slice(0, 1)),
        ...presence
          .servers()
          .filter((server) => server.alive && server.grpcAddress !== '')
          .map((server) => server.grpcAddress),
      ]),
    ].toSorted();
    if (endpoints.join() === this.#endpoints.join()) return;
    this.#endpoints = endpoints;
    for (const listener of this.#listeners) listener();
  }
}
