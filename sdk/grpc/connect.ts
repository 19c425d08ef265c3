/** `connect`: a Client of a cluster, from outside its members' processes. */
import { credentials } from '@grpc/grpc-js';
import type { ChannelOptions } from '@grpc/grpc-js';
import { systemClock } from '../../platform/clock.js';
import type { Clock } from '../../platform/clock.js';
import { systemRandom } from '../../platform/random.js';
import type { Random } from '../../platform/random.js';
import { apiErrors } from '../../apimachinery/status.js';
import type { Client } from '../client.js';
import { clientOf } from '../object-client.js';
import { serverNameOptions } from './server-name.js';
import { EndpointPool } from './endpoint-pool.js';
import { GrpcObjectService } from './grpc-object-service.js';

/** PEM; certificate and key as platform/pki's KeyPair has them. Without them a token says who we are. */
export interface ClientTls {
  readonly ca: string;
  readonly certificate?: string;
  readonly privateKey?: string;
}

/** Certificates that rotate: connections are made anew when `onChange` calls back. */
export interface ClientTlsProvider {
  current(): ClientTls;
  onChange(callback: () => void): () => void;
}

export interface ConnectOptions {
  /** `host:port` of members; port 2379 when absent. */
  readonly endpoints: readonly string[];
  readonly tls: ClientTls | ClientTlsProvider;
  /** Asked before each call, so that a token which was renewed is used at once. */
  readonly token?: string | (() => string | Promise<string>);
  /** The name in the members' certificates, where that is not the endpoint's host. */
  readonly serverName?: string;
  /** How long to wait for any member; 10,000 when absent. */
  readonly connectTimeout_ms?: number;
  /** For every call but watches; 30,000 when absent. */
  readonly callTimeout_ms?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly signal?: AbortSignal;
}

const DEFAULT_PORT = 2379;
/** A list comes in chunks; a single object may be as large as the server stores. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** A silent connection is found dead within five seconds. */
const KEEPALIVE_INTERVAL_MS = 3000;
const KEEPALIVE_TIMEOUT_MS = 2000;

/**
 * Resolves when a member answers; rejects with ApiError ServiceUnavailable that names what is wrong with each endpoint.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { token } = options;
  const clock = options.clock ?? systemClock;
  const { pool, close } = await openPool(options);
  const service = new GrpcObjectService({
    pool,
    clock,
    callTimeout_ms: options.callTimeout_ms ?? 30_000,
    ...(token === undefined ? {} : { token: typeof token === 'string' ? () => token : token }),
  });
  return clientOf(service, { close: () => Promise.resolve(close()) });
}

/** Connections to the members, one of which answers. */
export async function openPool(options: ConnectOptions): Promise<{ readonly pool: EndpointPool; close(): void }> {
  const { tls, token } = options;
  const clock = options.clock ?? systemClock;
  const current = () => ('current' in tls ? tls.current() : tls);
  if (token === undefined && current().certificate === undefined)
    throw apiErrors.unauthorized('neither a client certificate nor a token was given');
  const pool = new EndpointPool({
    addresses: options.endpoints.map(withPort),
    credentials: () => credentialsOf(current()),
    channelOptions: (address) => channelOptionsOf(options, address),
    clock,
    random: options.random ?? systemRandom,
    connectTimeout_ms: options.connectTimeout_ms ?? 10_000,
  });
  const forget = 'onChange' in tls ? tls.onChange(() => pool.renew()) : () => undefined;
  const close = () => {
    forget();
    pool.close();
  };
  try {
    await pool.pick(new Set(), options.signal);
  } catch (error) {
    close();
    throw error;
  }
  return { pool, close };
}

function withPort(endpoint: string): string {
  const address = endpoint.replace(/^https:\/\//, '').replace(/\/$/, '');
  if (address === '' || /\s|\//.test(address))
    throw apiErrors.badRequest(`"${endpoint}" is no endpoint; write host:port`);
  return /(^[^:]+|\]):\d+$/.test(address) ? address : `${address}:${DEFAULT_PORT}`;
}

function credentialsOf({ ca, certificate, privateKey }: ClientTls) {
  if ((certificate === undefined) !== (privateKey === undefined))
    throw apiErrors.badRequest('a client certificate and its key are given together');
  const buffer = (pem: string | undefined) => (pem === undefined ? null : Buffer.from(pem));
  return credentials.createSsl(Buffer.from(ca), buffer(privateKey), buffer(certificate));
}

function channelOptionsOf({ serverName }: ConnectOptions, address: string): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2000,
    // Whether a call may be repeated is ours to decide; and one client's connections are its own.
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    ...serverNameOptions(address, serverName),
    ...(serverName === undefined ? {} : { 'grpc.default_authority': serverName }),
  };
}
