/**
 * Scheduler and controllers in a process without an API server: clients of members, each under the certificate of its
 * own user, which the cluster's authority in the secrets' folder signs. Members that are away are waited for.
 */
import { setMaxListeners } from 'node:events';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import { present } from '../../../platform/assert.js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { ClusterPki } from '../../../platform/pki/cluster-pki.js';
import type { Random } from '../../../platform/random.js';
import { startAll, stopAll, type Service } from '../../../platform/service.js';
import type { Client } from '../../../sdk/client.js';
import { connect } from '../../../sdk/grpc/connect.js';
import { RotatingCertificate } from '../certificates.js';
import { createElected, type ElectedOptions, type ElectedParts } from './elected.js';
import { accountUser, COMPONENTS, userSubject } from '../system-users.js';

export interface DetachedOptions extends Pick<ElectedOptions, 'parts' | 'identity' | 'network' | 'nodeGrace_ms'> {
  /** `host:port` of members' gRPC listeners. */
  readonly endpoints: readonly string[];
  readonly pki: ClusterPki;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const LIFETIME_MS = 90 * 24 * 3_600_000;
const RETRY_MS = 1_000;

export function createDetached(options: DetachedOptions): Service {
  return new Detached(options);
}

/** Whose clients the parts need. */
function usersOf({ scheduler, controllers = [] }: ElectedParts): UserInfo[] {
  const accounts = [...new Set(controllers.map(({ account }) => account))];
  return [
    ...(scheduler ? [COMPONENTS.scheduler] : []),
    ...(accounts.length === 0 ? [] : [COMPONENTS.controllers, ...accounts.map(accountUser)]),
  ];
}

class Detached implements Service {
  readonly name = 'control plane';
  readonly #options: DetachedOptions;
  readonly #stop = new AbortController();
  readonly #certificates: RotatingCertificate[] = [];
  readonly #clients = new Map<string, Client>();
  #elected: readonly Service[] = [];

  constructor(options: DetachedOptions) {
    // One listener for each client that waits for a member.
    setMaxListeners(0, this.#stop.signal);
    this.#options = options;
  }

  async start(): Promise<void> {
    const { pki, parts } = this.#options;
    await Promise.all(usersOf(parts).map(async (user) => this.#clients.set(user.name, await this.#connect(user))));
    this.#elected = createElected({
      ...this.#options,
      clientFor: ({ name }) => present(this.#clients.get(name), `no client was made for ${name}`),
      clusterAuthority: () => pki.clusterAuthority.certificate,
    });
    await startAll(this.#elected);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the control plane stops'));
    await stopAll(this.#elected);
    for (const certificate of this.#certificates) certificate.stop();
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  async #connect(user: UserInfo): Promise<Client> {
    const { pki, endpoints, clock, random, logger } = this.#options;
    const request = { subject: userSubject(user), usages: ['client' as const], lifetime_ms: LIFETIME_MS };
    const certificate = await RotatingCertificate.issue(pki.clusterAuthority, request, { clock, random });
    this.#certificates.push(certificate);
    const tls = {
      current: () => ({
        ca: pki.clusterAuthority.certificate,
        certificate: certificate.current.certificate,
        privateKey: certificate.current.privateKey,
      }),
      onChange: (callback: () => void) => certificate.onChange(callback),
    };
    for (;;) {
      try {
        return await connect({ endpoints, tls, clock, random, signal: this.#stop.signal });
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        logger.warn({ user: user.name, error: String(error) }, 'no member can be reached; trying again');
        await clock.sleep(RETRY_MS, this.#stop.signal);
      }
    }
  }
}
