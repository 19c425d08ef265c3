/**
 * Rebuilds one member whose log or state is lost or corrupt from its peers. It does not come back under its old id,
 * since it may have forgotten what it promised: the old identity is removed from the cluster, and a new one joins with
 * an empty directory at the next start. Each step can be repeated, so that a repair that was interrupted is run again.
 */
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock } from '../../../platform/clock.js';
import { pkiDirIn, readClusterPki } from '../../../platform/pki/cluster-pki.js';
import type { Random } from '../../../platform/random.js';
import { UserError } from '../../../platform/user-error.js';
import { issueAdminCertificate } from '../certificates.js';
import { memberIdOf } from '../identity.js';
import { randomMemberId } from './join.js';
import { askLeader, askMembers, listMembers, type Access } from '../cluster/member-calls.js';
import { endpointsOf, readMemberFile, writeMemberFile, type MemberFile } from './member-file.js';
import { requireStopped } from './running.js';

export interface RepairOptions {
  readonly dataDir: string;
  readonly pkiDir?: string;
  /** gRPC listeners of the other members; those of the member file when empty. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly say: (text: string) => void;
}

/** What a member's data directory holds besides its member file and secrets. */
export const STATE_FOLDERS = ['raft', 'state'] as const;

/**
 * Returns where the old directory was put. Throws UserError, before anything is changed, when the others have no
 * quorum.
 */
export async function repairMember(options: RepairOptions): Promise<string> {
  const { dataDir, random, clock, say } = options;
  await requireStopped(dataDir);
  const file = await readMemberFile(dataDir);
  if (file === undefined)
    throw new UserError(
      `${dataDir} is no member's data directory: it has no member.json. A new member needs no repair: navarch server --join`,
    );
  const pkiDir = resolve(options.pkiDir ?? file.pkiDir ?? pkiDirIn(dataDir));
  const old = file.joining === true ? await diskIdentity(dataDir) : (file.id ?? memberIdOf(file.clusterId, file.name));
  const access = await accessTo(options, file, pkiDir);
  if (old !== undefined) await takeOut(access, old, say);
  const aside = await freshFolder(join(dataDir, `aside-${stamp(clock)}`));
  // An id that this directory was not made for yet is still good: a repair was interrupted, or a member never came to
  // join.
  if (file.joining !== true || old === file.id) {
    const { removed: _removed, ...rest } = file;
    await writeMemberFile(aside, file);
    // From here on a start would refuse the old state rather than found anything with it.
    await writeMemberFile(dataDir, { ...rest, id: randomMemberId(random), pkiDir, joining: true });
  }
  await moveState(dataDir, aside);
  return aside;
}

async function accessTo(options: RepairOptions, file: MemberFile, pkiDir: string): Promise<Access> {
  const pki = await readClusterPki(pkiDir);
  if (pki === undefined)
    throw new UserError(
      `${pkiDir} holds no cluster secrets; copy the folder from another member, or name it with --pki-dir`,
    );
  const self = file.id ?? memberIdOf(file.clusterId, file.name);
  const endpoints =
    options.endpoints.length > 0
      ? options.endpoints
      : endpointsOf(
          (file.members ?? []).filter((member) => member.name !== file.name),
          self,
        );
  if (endpoints.length === 0)
    throw new UserError(
      'a member is rebuilt from its peers, and none is known here; give --endpoints host:port[,host:port] of their gRPC listeners',
    );
  const admin = await issueAdminCertificate(pki, options);
  return {
    endpoints,
    ca: pki.clusterAuthority.certificate,
    certificate: admin.certificate,
    privateKey: admin.privateKey,
  };
}

/** Removes the identity, unless that has been done; refuses unless the others are a majority of all without it. */
async function takeOut(access: Access, old: number, say: (text: string) => void): Promise<void> {
  const { members } = await listMembers(access);
  const voters = members.filter((member) => !member.learner);
  const rest = voters.filter((member) => member.id !== old);
  const views = await askMembers({
    ...access,
    endpoints: rest.flatMap((member) => member.clientAddresses.slice(0, 1)),
  });
  const alive = views.filter((view) => view.status !== undefined && view.status.leaderId !== 0);
  const needed = Math.floor(voters.length / 2) + 1;
  if (alive.length < needed) {
    throw new UserError(
      `the other members have no quorum: ${alive.length} of ${rest.length} answer and know a leader, ${needed} are needed. Nothing was changed. ` +
        'Start them first; if they are gone for good: navarch cluster recover',
    );
  }
  if (!members.some((member) => member.id === old)) return;
  say('the others have a quorum; removing the old identity');
  await askLeader(access, views, { kind: 'remove', id: old });
}

/** The id that the Raft directory was made for; undefined: there is none, or it cannot be told. */
async function diskIdentity(dataDir: string): Promise<number | undefined> {
  try {
    const { nodeId } = JSON.parse(await readFile(join(dataDir, 'raft', 'identity.json'), 'utf8')) as {
      nodeId?: number;
    };
    return nodeId;
  } catch {
    return undefined;
  }
}

export const stamp = (clock: Clock) => new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-');

export async function freshFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}

export async function moveState(from: string, to: string): Promise<void> {
  for (const folder of STATE_FOLDERS) {
    await rename(join(from, folder), join(to, folder)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
