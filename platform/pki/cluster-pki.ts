/**
 * The secrets that make a cluster: three authorities that trust nothing of each other (peers, cluster, front proxy),
 * the key that signs service-account tokens, and the join secret. Every member holds all of them; a worker holds none.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readKeyPair, writeFileAtomic, writeKeyPair } from './files.js';
import { createAuthority, type KeyPair, type PkiContext } from './x509.js';

export interface ClusterPki {
  /** 16 hexadecimal digits: part of every peer connection's handshake. */
  readonly clusterId: string;
  /** Signs what opens port 2380. */
  readonly peerAuthority: KeyPair;
  /** Signs servers and clients of 6443 and 2379. */
  readonly clusterAuthority: KeyPair;
  /** Signs front proxies (aggregated APIs). */
  readonly frontProxyAuthority: KeyPair;
  /** PKCS #8 PEM, ECDSA P-256. */
  readonly serviceAccountKey: string;
  /** Registers nobody any more (bootstrap tokens do); members of earlier versions that join ask for it. */
  readonly workerSecret: string;
  /** What a host must show to be given these secrets and become a member. */
  readonly memberSecret: string;
}

const YEAR_MS = 365 * 24 * 3_600_000;
const AUTHORITY_LIFETIME_MS = 10 * YEAR_MS;

export async function createClusterPki(context: PkiContext): Promise<ClusterPki> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    clusterId: context.random.bytes(8).toString('hex'),
    peerAuthority: await createAuthority('navarch-peer-ca', AUTHORITY_LIFETIME_MS, context),
    clusterAuthority: await createAuthority('navarch-cluster-ca', AUTHORITY_LIFETIME_MS, context),
    frontProxyAuthority: await createAuthority('navarch-front-proxy-ca', AUTHORITY_LIFETIME_MS, context),
    serviceAccountKey: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    workerSecret: context.random.bytes(16).toString('hex'),
    memberSecret: context.random.bytes(16).toString('hex'),
  };
}

/** One folder: peer-ca, cluster-ca, front-proxy-ca (.crt and .key), service-account.key, cluster.json. */
export async function writeClusterPki(directory: string, pki: ClusterPki): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeKeyPair(join(directory, 'peer-ca'), pki.peerAuthority);
  await writeKeyPair(join(directory, 'cluster-ca'), pki.clusterAuthority);
  await writeKeyPair(join(directory, 'front-proxy-ca'), pki.frontProxyAuthority);
  await writeFileAtomic(join(directory, 'service-account.key'), pki.serviceAccountKey, 0o600);
  // Last: a folder with cluster.json is complete.
  const secrets = { clusterId: pki.clusterId, workerSecret: pki.workerSecret, memberSecret: pki.memberSecret };
  await writeFileAtomic(join(directory, 'cluster.json'), `${JSON.stringify(secrets, null, 2)}\n`, 0o600);
}

/** Where the secrets of a cluster lie below a data directory, unless another folder is named. */
export const pkiDirIn = (dataDir: string): string => join(dataDir, 'pki');

/** Undefined when the folder holds none. Throws when it holds only a part. */
export async function readClusterPki(directory: string): Promise<ClusterPki | undefined> {
  let secrets: Pick<ClusterPki, 'clusterId' | 'workerSecret' | 'memberSecret'>;
  try {
    secrets = JSON.parse(await readFile(join(directory, 'cluster.json'), 'utf8')) as typeof secrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${join(directory, 'cluster.json')} cannot be read: ${(error as Error).message}`);
  }
  const authority = async (name: string): Promise<KeyPair> => {
    const pair = await readKeyPair(join(directory, name));
    if (pair === undefined)
      throw new Error(`${directory} lacks ${name}.crt or ${name}.key; copy the folder whole from another member`);
    return pair;
  };
  return {
    ...secrets,
    peerAuthority: await authority('peer-ca'),
    clusterAuthority: await authority('cluster-ca'),
    frontProxyAuthority: await authority('front-proxy-ca'),
    serviceAccountKey: await readFile(join(directory, 'service-account.key'), 'utf8'),
  };
}
