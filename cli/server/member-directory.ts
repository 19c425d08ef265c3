/** The gRPC addresses of all members, as workers are told them: from the store's membership, looked at now and then. */
import type { Clock, Timer } from '../../platform/clock.js';
import type { Service } from '../../platform/service.js';
import type { MemberDirectory as Directory } from '../../services/nodelink/nodelink.js';
import type { StoreMember } from '../../services/store/member/start.js';
import { hostPort, type MemberAddress } from './identity.js';

const INTERVAL_MS = 2_000;

export interface MemberDirectoryOptions {
  readonly member: StoreMember;
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
    this.#timer = this.#options.clock.every(INTERVAL_MS, () => void this.#look());
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }

  async #look(): Promise<void> {
    // A member that is stopping answers no more; what was known stays.
    const members = await this.#options.member.members().catch(() => undefined);
    const endpoints = (members ?? []).flatMap((peer) => peer.clientAddresses.slice(0, 1)).toSorted();
    if (endpoints.length === 0 || endpoints.join() === this.#endpoints.join()) return;
    this.#endpoints = endpoints;
    for (const listener of this.#listeners) listener();
  }
}
