/** `--store-endpoints` and what goes with it: from a command line to a store elsewhere. */
import { readFile } from 'node:fs/promises';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { ClusterPki } from '../../platform/pki/cluster-pki.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import { MEMBER_SERVER_NAME } from '../../sdk/grpc/server-name.js';
import type { EtcdTls } from '../../services/store/external/endpoint.js';
import { EtcdStore } from '../../services/store/external/etcd-store.js';
import type { AutoCompactionOptions } from '../../services/store/member/auto-compaction.js';
import { UserError } from '../../platform/user-error.js';
import { splitEndpoint } from '../../platform/pki/join-token.js';
import type { ExternalBacking } from '../../services/server/backing.js';
import { RotatingCertificate } from '../../services/server/certificates.js';
import { externalStore } from '../../services/server/external-store.js';
import { hostPort } from '../../services/server/identity.js';

export interface StoreFlags {
  readonly storeEndpoints?: string;
  readonly storeCa?: string;
  readonly storeCert?: string;
  readonly storeKey?: string;
}

export interface StoreAddress {
  /** host:port */
  readonly endpoints: readonly string[];
  readonly tls: boolean;
}

/**
 * Throws UserError (2) for what is no list of URLs of one kind, or does not go together. Undefined: no such flag was
 * given.
 */
export function parseStoreFlags(flags: StoreFlags): StoreAddress | undefined {
  const { storeEndpoints, storeCa, storeCert, storeKey } = flags;
  const files = storeCa !== undefined || storeCert !== undefined || storeKey !== undefined;
  if (storeEndpoints === undefined) {
    if (files) throw new UserError('--store-ca, --store-cert and --store-key go with --store-endpoints', 2);
    return undefined;
  }
  const urls = storeEndpoints
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((text) => {
      const match = /^(https?):\/\/(.+)$/.exec(text);
      if (match === null)
        throw new UserError(`--store-endpoints: "${text}" is no URL; write http://host:port or https://host:port`, 2);
      const { host, port } = splitEndpoint(match[2] ?? '');
      return { scheme: match[1], address: hostPort(host, port) };
    });
  if (urls.length === 0) throw new UserError('--store-endpoints names no endpoint', 2);
  const tls = urls.every(({ scheme }) => scheme === 'https');
  if (!tls && urls.some(({ scheme }) => scheme === 'https'))
    throw new UserError('--store-endpoints: all of them are https:// or none is', 2);
  if (!tls && files)
    throw new UserError('--store-ca, --store-cert and --store-key are of no use with http:// endpoints', 2);
  if ((storeCert === undefined) !== (storeKey === undefined))
    throw new UserError('--store-cert and --store-key go together', 2);
  return { endpoints: urls.map(({ address }) => address), tls };
}

export interface OpenStoreOptions {
  readonly address: StoreAddress;
  readonly flags: StoreFlags;
  /** This server's name, in a certificate that it makes for itself. */
  readonly name: string;
  readonly pki: ClusterPki;
  readonly compaction: AutoCompactionOptions | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Nothing is asked of the store before the backing starts. */
export async function openExternalStore(options: OpenStoreOptions): Promise<ExternalBacking> {
  const { address, pki, compaction, clock, logger } = options;
  const credentials = address.tls ? await credentialsOf(options) : undefined;
  const store = new EtcdStore({
    endpoints: address.endpoints,
    clock,
    ...(credentials === undefined ? {} : { tls: credentials.current() }),
  });
  credentials?.onChange((tls) => store.renewCertificates(tls));
  return externalStore({
    store,
    endpoints: address.endpoints,
    clusterId: pki.clusterId,
    clock,
    logger,
    ...(compaction === undefined ? {} : { compaction }),
    ...(credentials === undefined ? {} : { credentials }),
  });
}

interface Credentials extends Service {
  current(): EtcdTls;
  onChange(listener: (tls: EtcdTls) => void): void;
}

const CLIENT_LIFETIME_MS = 90 * 24 * 3_600_000;

/** From files, or, without any, made from the cluster's own authority: that is what members of ours ask for. */
async function credentialsOf({ flags, name, pki, clock, random, logger }: OpenStoreOptions): Promise<Credentials> {
  const { storeCa, storeCert, storeKey } = flags;
  if (storeCa !== undefined || storeCert !== undefined) {
    const read = () =>
      readTls({ ca: storeCa, cert: storeCert, key: storeKey, clusterAuthority: pki.clusterAuthority.certificate });
    return new FileCredentials({ read, first: await read(), clock, logger });
  }
  const request = {
    subject: { commonName: name, organizations: ['navarch:apiserver'] },
    usages: ['client'] as const,
    lifetime_ms: CLIENT_LIFETIME_MS,
  };
  const certificate = await RotatingCertificate.issue(pki.clusterAuthority, request, { clock, random });
  const current = (): EtcdTls => ({
    ca: Buffer.from(pki.clusterAuthority.certificate),
    cert: Buffer.from(certificate.current.certificate),
    key: Buffer.from(certificate.current.privateKey),
    serverName: MEMBER_SERVER_NAME,
  });
  return {
    name: 'store certificate',
    current,
    onChange: (listener) => void certificate.onChange(() => listener(current())),
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(certificate.stop()),
  };
}

interface TlsFiles {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Trusted when no `ca` is named. PEM. */
  readonly clusterAuthority: string;
}

async function readTls({ ca, cert, key, clusterAuthority }: TlsFiles): Promise<EtcdTls> {
  const read = (path: string) =>
    readFile(path).catch((error: Error) => {
      throw new UserError(`the store's credentials cannot be read: ${error.message}`);
    });
  const authority = ca === undefined ? Buffer.from(clusterAuthority) : await read(ca);
  return cert === undefined || key === undefined
    ? { ca: authority }
    : { ca: authority, cert: await read(cert), key: await read(key) };
}

const LOOK_MS = 60_000;

interface FileCredentialsOptions {
  readonly read: () => Promise<EtcdTls>;
  readonly first: EtcdTls;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Files that somebody else replaces: looked at once a minute, so that a renewed certificate needs no restart. */
class FileCredentials implements Credentials {
  readonly name = 'store credentials';
  readonly #options: FileCredentialsOptions;
  readonly #listeners: ((tls: EtcdTls) => void)[] = [];
  #current: EtcdTls;
  #timer: Timer | undefined;

  constructor(options: FileCredentialsOptions) {
    this.#options = options;
    this.#current = options.first;
  }

  current(): EtcdTls {
    return this.#current;
  }

  onChange(listener: (tls: EtcdTls) => void): void {
    this.#listeners.push(listener);
  }

  start(): Promise<void> {
    this.#timer = this.#options.clock.every(LOOK_MS, () => void this.#look());
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }

  async #look(): Promise<void> {
    try {
      const found = await this.#options.read();
      if (sameTls(found, this.#current)) return;
      this.#current = found;
      for (const listener of this.#listeners) listener(found);
    } catch (error) {
      this.#options.logger.warn({ error: String(error) }, 'the store goes on with the credentials it was given');
    }
  }
}

const textOf = ({ ca, cert, key }: EtcdTls) =>
  [ca, cert, key].map((bytes) => bytes?.toString('latin1') ?? '').join('\n');
const sameTls = (a: EtcdTls, b: EtcdTls) => textOf(a) === textOf(b);
