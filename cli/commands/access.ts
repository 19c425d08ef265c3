/**
 * How a command reaches the members as administrator: by the cluster that `up` started, by a member's data directory,
 * or as told.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemClock } from '../../platform/clock.js';
import { readClusterPki } from '../../platform/pki/cluster-pki.js';
import { readKeyPair } from '../../platform/pki/files.js';
import { systemRandom } from '../../platform/random.js';
import { issueAdminCertificate } from '../../services/server/certificates.js';
import type { Access } from '../../services/server/cluster/member-calls.js';
import { endpointsOf, readMemberFile } from '../../services/server/membership/member-file.js';
import { liveState } from '../up/state-file.js';
import { UserError } from '../../platform/user-error.js';
import { splitEndpoint } from '../../platform/pki/join-token.js';
import { layout } from '../lib/paths.js';

export interface AccessFlags {
  readonly dataDir: string;
  readonly pkiDir?: string;
  readonly endpoints?: string;
}

/** Throws UserError that names the flags that would help. */
export async function resolveAccess(flags: AccessFlags): Promise<Access> {
  const dataDir = resolve(flags.dataDir);
  const told = (flags.endpoints ?? '').split(',').filter((part) => part !== '');
  for (const endpoint of told) splitEndpoint(endpoint);
  const ofUp = await accessOfUp(dataDir);
  if (ofUp !== undefined && flags.pkiDir === undefined)
    return { ...ofUp, endpoints: told.length > 0 ? told : ofUp.endpoints };
  const file = await readMemberFile(dataDir);
  const pkiDir = resolve(flags.pkiDir ?? file?.pkiDir ?? layout(dataDir).pki);
  const pki = await readClusterPki(pkiDir);
  const endpoints = told.length > 0 ? told : endpointsOf(file?.members ?? []);
  if (pki === undefined)
    throw new UserError(
      `${pkiDir} holds no cluster secrets; name a member's data directory (--data-dir), or its secrets and address (--pki-dir, --endpoints)`,
    );
  if (endpoints.length === 0)
    throw new UserError(`${dataDir} tells no members; give --endpoints host:port[,host:port] of their gRPC listeners`);
  const admin = await issueAdminCertificate(pki, { clock: systemClock, random: systemRandom });
  return {
    endpoints,
    ca: pki.clusterAuthority.certificate,
    certificate: admin.certificate,
    privateKey: admin.privateKey,
  };
}

async function accessOfUp(dataDir: string): Promise<Access | undefined> {
  const state = liveState(dataDir);
  const pair = await readKeyPair(layout(dataDir).etcdClient);
  if (state === undefined || pair === undefined) return undefined;
  const ca = await readFile(join(layout(dataDir).pki, 'cluster-ca.crt'), 'utf8');
  return {
    endpoints: state.members.map((member) => member.grpc),
    ca,
    certificate: pair.certificate,
    privateKey: pair.privateKey,
  };
}
