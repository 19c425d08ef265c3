/**
 * A worker's identity: a key of its own and a certificate that a member signed, got with a join token once and renewed
 * with itself from then on. Kept in the worker's data directory, so that a restart needs no token.
 */
import { credentials, Metadata, status, type ChannelCredentials, type Client as GrpcClient } from '@grpc/grpc-js';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic, readKeyPair, writeKeyPair } from '../../platform/pki/files.js';
import { certificateValidity, createSigningRequest, dueForRotation, type KeyPair } from '../../platform/pki/x509.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Service } from '../../platform/service.js';
import { NodeServiceClient, type RegisterResponse, type RenewResponse } from '../../proto/gen/navarch/node/v1/node.js';
import { serverNameOptions } from '../../sdk/grpc/server-name.js';
import { UserError } from '../../platform/user-error.js';
import { fetchAuthority, parseJoinToken } from '../../platform/pki/join-token.js';

export interface WorkerIdentity {
  /** PEM of the cluster's authority. */
  readonly ca: string;
  readonly pair: KeyPair;
}

export interface WorkerCredentialsOptions {
  readonly nodeName: string;
  readonly directory: string;
  readonly endpoints: readonly string[];
  /** Asked while there is no certificate on disk. */
  readonly token?: () => Promise<string>;
  /** Called once the token is needed no longer. */
  readonly onJoined?: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const CALL_MS = 10_000;
const LOOK_MS = 3_600_000;
const RETRY_MS = 1_000;
const JOIN_MS = 120_000;

type Unary<R> = (metadata: Metadata, callback: (error: Error | null, answer: R) => void) => void;

export function callOnce<R>(client: GrpcClient, call: Unary<R>): Promise<R> {
  return new Promise<R>((resolve, reject) => {
    call(new Metadata(), (error, answer) => {
      client.close();
      if (error === null) resolve(answer);
      else reject(error);
    });
  });
}

export const deadline = (clock: Clock) => ({ deadline: clock.now() + CALL_MS });

export class WorkerCredentials implements Service {
  readonly name = 'worker credentials';
  readonly #options: WorkerCredentialsOptions;
  readonly #listeners = new Set<() => void>();
  #identity: WorkerIdentity | undefined;
  #timer: Timer | undefined;

  constructor(options: WorkerCredentialsOptions) {
    this.#options = options;
  }

  /** Once started. */
  get current(): WorkerIdentity {
    if (this.#identity === undefined) throw new Error('the worker has not joined yet');
    return this.#identity;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Joins when there is nothing on disk, or only what has expired. */
  async start(): Promise<void> {
    this.#identity = await this.#stored();
    if (this.#identity === undefined) await this.#joinPatiently();
    await this.#options.onJoined?.();
    this.#timer = this.#options.clock.every(LOOK_MS, () => this.#renewIfDue());
    await this.#renewIfDue();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }

  get #base(): string {
    return join(this.#options.directory, 'node');
  }

  get #caPath(): string {
    return join(this.#options.directory, 'cluster-ca.crt');
  }

  async #stored(): Promise<WorkerIdentity | undefined> {
    const pair = await readKeyPair(this.#base);
    const ca = await readFile(this.#caPath, 'utf8').catch(() => undefined);
    if (pair === undefined || ca === undefined) return undefined;
    return certificateValidity(pair.certificate).notAfter_ms > this.#options.clock.now() ? { ca, pair } : undefined;
  }

  /** Of a join that was begun, or whose certificate has expired: it proves that the node's name is this host's. */
  async #storedKey(): Promise<{ readonly privateKey?: string }> {
    const privateKey = await readFile(`${this.#base}.key`, 'utf8').catch(() => undefined);
    return privateKey === undefined ? {} : { privateKey };
  }

  /** Members may still be starting: faults of the network are waited out, a wrong token is not. */
  async #joinPatiently(): Promise<void> {
    const { clock, logger, token: ask } = this.#options;
    if (ask === undefined)
      throw new UserError(
        'this worker has no certificate yet: start it with --token-file, a file with what `navarch token create` prints',
        2,
      );
    const token = parseJoinToken(await ask());
    if (token.kind !== 'worker')
      throw new UserError(
        'this token is for members; a worker joins with the token that `navarch token create` prints',
        2,
      );
    const until_ms = clock.monotonic() + JOIN_MS;
    for (let attempt = 0; ; attempt++) {
      const endpoint = this.#options.endpoints[attempt % this.#options.endpoints.length] ?? '';
      try {
        const ca = await fetchAuthority(endpoint, token);
        await this.#register(endpoint, ca, token.secret);
        return;
      } catch (error) {
        if (isFinal(error) || clock.monotonic() > until_ms) throw error;
        logger.debug({ endpoint, error: String(error) }, 'could not join yet');
        await clock.sleep(RETRY_MS);
      }
    }
  }

  async #register(endpoint: string, ca: string, secret: string): Promise<void> {
    const { nodeName, clock } = this.#options;
    const { request, privateKey } = await createSigningRequest(
      { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] },
      await this.#storedKey(),
    );
    // Before it is shown: should the answer be lost, the name is this key's, and the next try comes with it.
    await writeFileAtomic(`${this.#base}.key`, privateKey, 0o600);
    const client = clientTo(endpoint, credentials.createSsl(Buffer.from(ca)));
    const answer = await callOnce<RegisterResponse>(client, (metadata, callback) =>
      client.register({ token: secret, nodeName, csr: request }, metadata, deadline(clock), callback),
    );
    await this.#take({ ca: answer.ca, pair: { certificate: answer.certificate, privateKey } });
  }

  async #renewIfDue(): Promise<void> {
    const { clock, endpoints, logger } = this.#options;
    if (!dueForRotation(this.current.pair.certificate, clock.now())) return;
    for (const endpoint of endpoints) {
      try {
        const { ca, pair } = this.current;
        // The same key: the node's name is bound to it.
        const { request, privateKey } = await createSigningRequest(
          { commonName: 'renewal' },
          { privateKey: pair.privateKey },
        );
        const client = clientTo(
          endpoint,
          credentials.createSsl(Buffer.from(ca), Buffer.from(pair.privateKey), Buffer.from(pair.certificate)),
        );
        const answer = await callOnce<RenewResponse>(client, (metadata, callback) =>
          client.renew({ csr: request }, metadata, deadline(clock), callback),
        );
        await this.#take({ ca: answer.ca, pair: { certificate: answer.certificate, privateKey } });
        return;
      } catch (error) {
        logger.warn({ endpoint, error: String(error) }, 'the certificate could not be renewed; trying again later');
      }
    }
  }

  async #take(identity: WorkerIdentity): Promise<void> {
    await writeFileAtomic(this.#caPath, identity.ca, 0o644);
    await writeKeyPair(this.#base, identity.pair);
    this.#identity = identity;
    for (const listener of this.#listeners) listener();
  }
}

export function clientTo(endpoint: string, channel: ChannelCredentials): NodeServiceClient {
  return new NodeServiceClient(endpoint, channel, serverNameOptions(endpoint));
}

/** Refusals: asking again changes nothing. */
const FINAL: ReadonlySet<unknown> = new Set([
  status.UNAUTHENTICATED,
  status.INVALID_ARGUMENT,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
]);

function isFinal(error: unknown): boolean {
  return (
    FINAL.has((error as { code?: unknown }).code) ||
    (error instanceof UserError && error.message.includes('is not the one this token is for'))
  );
}
