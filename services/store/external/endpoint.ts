/** One endpoint of an external etcd: the clients of its services, and what its release can be trusted with. */
import { checkServerIdentity } from 'node:tls';
import { ChannelCredentials, Metadata } from '@grpc/grpc-js';
import type { ChannelOptions } from '@grpc/grpc-js';
import { KVClient, LeaseClient, MaintenanceClient, WatchClient } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';

/** Mutual TLS, PEM. */
export interface EtcdTls {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** A name that every endpoint's certificate may carry in the place of its address. */
  readonly serverName?: string;
}

export interface Endpoint {
  /** host:port */
  readonly address: string;
  readonly kv: KVClient;
  readonly watch: WatchClient;
  readonly lease: LeaseClient;
  readonly maintenance: MaintenanceClient;
  close(): void;
}

const CHANNEL_OPTIONS: ChannelOptions = {
  /** Answers may be as large as a range of everything. */
  'grpc.max_receive_message_length': -1,
  /** etcd hangs up on clients that ping more often than every 5 s. */
  'grpc.keepalive_time_ms': 6000,
  'grpc.keepalive_timeout_ms': 3000,
  /** gRPC's own bound is two minutes: too long after an outage is over. */
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
};

/** What is sent as TLS server name: an address cannot be one (RFC 6066), and nobody looks at it. */
const SERVER_NAME = 'etcd';

export function openEndpoint(address: string, tls: EtcdTls | undefined): Endpoint {
  const credentials = tls === undefined ? ChannelCredentials.createInsecure() : secureCredentials(address, tls);
  const options =
    tls === undefined ? CHANNEL_OPTIONS : { ...CHANNEL_OPTIONS, 'grpc.ssl_target_name_override': SERVER_NAME };
  const clients = {
    kv: new KVClient(address, credentials, options),
    watch: new WatchClient(address, credentials, options),
    lease: new LeaseClient(address, credentials, options),
    maintenance: new MaintenanceClient(address, credentials, options),
  };
  return {
    address,
    ...clients,
    close: () => {
      for (const client of Object.values(clients)) client.close();
    },
  };
}

function secureCredentials(address: string, { ca, cert, key, serverName }: EtcdTls): ChannelCredentials {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return ChannelCredentials.createSsl(ca, key ?? null, cert ?? null, {
    checkServerIdentity: (_name, certificate) => {
      const wrong = checkServerIdentity(host, certificate);
      return wrong === undefined || serverName === undefined ? wrong : checkServerIdentity(serverName, certificate);
    },
  });
}

/**
 * With it etcd ends a stream whose member has lost its leader, rather than keep it open and silent (etcd
 * clientv3.WithRequireLeader).
 */
export function requireLeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('hasleader', 'true');
  return metadata;
}

const VERSION_MS = 2000;

/**
 * Whether progress that a client asked for comes after the events it covers. Before 3.4.25 and 3.5.8 it may overtake
 * them (etcd #15220). False when the endpoint does not say.
 */
export function ordersProgress(endpoint: Endpoint, now_ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    endpoint.maintenance.status({}, new Metadata(), { deadline: now_ms + VERSION_MS }, (error, status) => {
      resolve(error === null && isOrdered(status.version));
    });
  });
}

export function isOrdered(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.\-+]/).map(Number);
  if (major !== 3) return major > 3;
  if (minor === 4) return patch >= 25;
  return minor === 5 ? patch >= 8 : minor > 5;
}
