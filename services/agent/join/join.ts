/**
 * How a worker gets its certificate: it makes a key, which never leaves the machine, and exchanges a join token for a
 * certificate; at two thirds of its life it exchanges that for a fresh one under a fresh key. The member must show a
 * certificate of the cluster's authority: a token is sent to nobody else.
 */
import { Metadata, credentials } from '@grpc/grpc-js';
import type { ChannelCredentials, ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import { createSigningRequest, dueForRotation } from '../../../platform/pki/x509.js';
import { NodeServiceClient } from '../../../proto/gen/navarch/node/v1/node.js';

export interface NodeCredentials {
  /** PEM each. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface JoinOptions {
  /** `host:port` of members, tried in turn. */
  readonly endpoints: readonly string[];
  readonly token: string;
  readonly nodeName: string;
  /** PEM of the cluster's authority. */
  readonly ca: string;
  readonly clock: Clock;
}

const CALL_TIMEOUT_MS = 10_000;

/** Rejects with the last member's words when none takes the worker in. */
export async function joinCluster(options: JoinOptions): Promise<NodeCredentials & { readonly endpoints: readonly string[] }> {
  const { token, nodeName, clock } = options;
  const { request: csr, privateKey: key } = await requestFor(nodeName);
  return firstOf(options.endpoints, async (endpoint) => {
    const answer = await withClient(endpoint, credentials.createSsl(Buffer.from(options.ca)), (client) => asPromise<{ certificate: string; ca: string; endpoints: string[] }>(
      (done) => client.register({ token, nodeName, csr }, new Metadata(), { deadline: new Date(clock.now() + CALL_TIMEOUT_MS) }, done)));
    return { ca: answer.ca, certificate: answer.certificate, key, endpoints: answer.endpoints };
  });
}

/** A fresh certificate under a fresh key, asked for with the present one. */
export async function renewCredentials(endpoints: readonly string[], current: NodeCredentials, nodeName: string, clock: Clock): Promise<NodeCredentials> {
  const { request: csr, privateKey: key } = await requestFor(nodeName);
  return firstOf(endpoints, async (endpoint) => {
    const channel = credentials.createSsl(Buffer.from(current.ca), Buffer.from(current.key), Buffer.from(current.certificate));
    const answer = await withClient(endpoint, channel, (client) => asPromise<{ certificate: string; ca: string }>(
      (done) => client.renew({ csr }, new Metadata(), { deadline: new Date(clock.now() + CALL_TIMEOUT_MS) }, done)));
    return { ca: answer.ca, certificate: answer.certificate, key };
  });
}

/** Whether a certificate is due to be renewed. */
export function isDue(current: NodeCredentials, clock: Clock): boolean {
  return dueForRotation(current.certificate, clock.now());
}

function requestFor(nodeName: string) {
  return createSigningRequest({ commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] });
}

async function firstOf<T>(endpoints: readonly string[], attempt: (endpoint: string) => Promise<T>): Promise<T> {
  let failure: unknown = new Error('no member was named');
  for (const endpoint of endpoints) {
    try {
      return await attempt(endpoint);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function withClient<T>(endpoint: string, channel: ChannelCredentials, use: (client: NodeServiceClient) => Promise<T>): Promise<T> {
  const client = new NodeServiceClient(endpoint, channel);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

function asPromise<T>(call: (done: (error: ServiceError | null, response: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, response) => (error === null ? resolve(response) : reject(new Error(error.details === '' ? error.message : error.details))));
  });
}
