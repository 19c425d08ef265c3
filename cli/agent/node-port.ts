/**
 * The worker's port 10250: asks a member for a serving certificate, listens once it has one, and renews it at two
 * thirds of its life. The certificate is not kept on disk: what is lost with the process is asked for anew.
 */
import { credentials } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import { createSigningRequest, dueForRotation } from '../../platform/pki/x509.js';
import type { Service } from '../../platform/service.js';
import type { SignServingResponse } from '../../proto/gen/navarch/node/v1/node.js';
import type { Agent } from '../../services/agent/agent.js';
import { NodeServer, type ServingTls } from '../../services/agent/server/node-server.js';
import { callOnce, clientTo, deadline, type WorkerCredentials } from './credentials.js';

export const NODE_PORT = 10_250;
const LOOK_MS = 3_600_000;
const RETRY_MS = 5_000;

export interface NodePortOptions {
  readonly host: string;
  readonly port: number;
  readonly endpoints: readonly string[];
  readonly credentials: WorkerCredentials;
  readonly agent: Pick<Agent, 'health' | 'metrics'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class NodePort implements Service {
  readonly name = 'node port';
  readonly #options: NodePortOptions;
  #server: NodeServer | undefined;
  #certificate: string | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: NodePortOptions) {
    this.#options = options;
  }

  /** Does not wait: no member may be there to sign, and pods do not depend on this port. */
  start(): Promise<void> {
    this.#lookIn(0);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#server?.stop();
  }

  #lookIn(delay_ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(delay_ms, () => this.#look().then((next_ms) => this.#lookIn(next_ms)));
  }

  /** Never rejects; how long until the next look. */
  async #look(): Promise<number> {
    const { clock, logger } = this.#options;
    if (this.#certificate !== undefined && !dueForRotation(this.#certificate, clock.now())) return LOOK_MS;
    try {
      const tls = await this.#sign();
      if (this.#server === undefined) await this.#listen(tls);
      else this.#server.renew(tls);
      this.#certificate = tls.certificate;
      return LOOK_MS;
    } catch (error) {
      logger.warn({ error: String(error) }, 'health and metrics are not served yet; trying again');
      return RETRY_MS;
    }
  }

  async #listen(tls: ServingTls): Promise<void> {
    const { host, port, agent } = this.#options;
    const server = new NodeServer({ host, port, tls, health: () => agent.health(), metrics: () => agent.metrics() });
    await server.start();
    this.#server = server;
    if (this.#stopped) await server.stop();
  }

  async #sign(): Promise<ServingTls> {
    const { ca, pair } = this.#options.credentials.current;
    const { request, privateKey } = await createSigningRequest({ commonName: 'serving' });
    let failure: unknown = new Error('no member is known');
    for (const endpoint of this.#options.endpoints) {
      try {
        const client = clientTo(
          endpoint,
          credentials.createSsl(Buffer.from(ca), Buffer.from(pair.privateKey), Buffer.from(pair.certificate)),
        );
        const answer = await callOnce<SignServingResponse>(client, (metadata, callback) =>
          client.signServing({ csr: request }, metadata, deadline(this.#options.clock), callback),
        );
        return { ca: answer.ca, certificate: answer.certificate, key: privateKey };
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
