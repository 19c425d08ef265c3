/**
 * When a majority of the members is gone for good: one survivor becomes a new cluster, under a new cluster id that
 * shuts the old members out. The work is done in a copy; the old log and state are kept aside, and the switch comes
 * last.
 */
import { cp, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock } from '../../../platform/clock.js';
import { pkiDirIn, readClusterPki, writeClusterPki, type ClusterPki } from '../../../platform/pki/cluster-pki.js';
import type { Random } from '../../../platform/random.js';
import type { PeerInfo } from '../../../raft/contract.js';
import { foundFrom, settleSurvivor, type Survivor } from '../../store/member/recover-state.js';
import { UserError } from '../../../platform/user-error.js';
import { issueAdminCertificate } from '../certificates.js';
import { memberIdOf } from '../identity.js';
import { randomMemberId } from './join.js';
import { askMembers } from '../cluster/member-calls.js';
import {
  endpointsOf,
  knownMember,
  markRecovered,
  readMemberFile,
  writeMemberFile,
  type MemberFile,
} from './member-file.js';
import { freshFolder, moveState, stamp, STATE_FOLDERS } from './repair.js';
import { requireStopped } from './running.js';

export interface RecoverOptions {
  readonly dataDir: string;
  /** Data directories of other survivors: the recovery is refused when one of them is newer. */
  readonly compare: readonly string[];
  readonly pkiDir?: string;
  readonly dryRun: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Recovered {
  readonly survivor: Survivor;
  /** Undefined after a dry run. */
  readonly founded:
    | {
        readonly clusterId: string;
        readonly formerClusterId: string;
        readonly revision: number;
        readonly aside: string;
      }
    | undefined;
}

/** Throws UserError before anything is changed: the member runs, the cluster lives, another survivor is newer. */
export async function recoverCluster(options: RecoverOptions): Promise<Recovered> {
  const { dataDir, clock } = options;
  const file = await ownerOf(dataDir);
  const pkiDir = resolve(options.pkiDir ?? file.pkiDir ?? pkiDirIn(dataDir));
  const pki = await readClusterPki(pkiDir);
  if (pki === undefined) throw new UserError(`${pkiDir} holds no cluster secrets; name the folder with --pki-dir`);
  await requireStopped(dataDir);
  await requireNoLeader(options, file, pki);
  await requireNewest(options, dataDir);
  const work = join(dataDir, `recovery-${stamp(clock)}`);
  try {
    const survivor = await settle(dataDir, work, file, clock);
    const founded = options.dryRun ? undefined : await found(options, { file, pki, pkiDir, work, survivor });
    return { survivor, founded };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function ownerOf(dataDir: string): Promise<MemberFile> {
  const file = await readMemberFile(dataDir);
  if (file === undefined) throw new UserError(`${dataDir} is no member's data directory: it has no member.json`);
  if (file.joining === true)
    throw new UserError(`the member of ${dataDir} had not joined yet: it has nothing to recover from`);
  return file;
}

async function settle(dataDir: string, work: string, file: MemberFile, clock: Clock): Promise<Survivor> {
  await freshFolder(work);
  for (const folder of STATE_FOLDERS) await cp(join(dataDir, folder), join(work, folder), { recursive: true });
  return settleSurvivor(
    work,
    { clusterId: file.clusterId, nodeId: file.id ?? memberIdOf(file.clusterId, file.name) },
    clock,
  );
}

async function requireNoLeader(options: RecoverOptions, file: MemberFile, pki: ClusterPki): Promise<void> {
  const endpoints = endpointsOf((file.members ?? []).filter((member) => member.name !== file.name));
  const admin = await issueAdminCertificate(pki, options);
  const views = await askMembers({
    endpoints,
    ca: pki.clusterAuthority.certificate,
    certificate: admin.certificate,
    privateKey: admin.privateKey,
  });
  const led = views.find((view) => view.status !== undefined && view.status.leaderId !== 0);
  if (led !== undefined) {
    throw new UserError(
      `the cluster lives: ${led.endpoint} knows a leader. Recovery would give up what it has acknowledged; ` +
        'to bring this member back: navarch member repair',
    );
  }
}

const isNewer = (a: Survivor, b: Survivor) => a.term > b.term || (a.term === b.term && a.lastIndex > b.lastIndex);

async function requireNewest(options: RecoverOptions, dataDir: string): Promise<void> {
  if (options.compare.length === 0) return;
  const survey = async (directory: string): Promise<Survivor> => {
    await requireStopped(directory);
    const work = join(directory, `survey-${stamp(options.clock)}`);
    try {
      return await settle(directory, work, await ownerOf(directory), options.clock);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  };
  const own = await survey(dataDir);
  for (const directory of options.compare) {
    const other = await survey(resolve(directory));
    if (isNewer(other, own)) {
      throw new UserError(
        `${directory} is newer (term ${other.term}, entry ${other.lastIndex}; here term ${own.term}, entry ${own.lastIndex}): recover from it instead`,
      );
    }
  }
}

interface Founding {
  readonly file: MemberFile;
  readonly pki: ClusterPki;
  readonly pkiDir: string;
  readonly work: string;
  readonly survivor: Survivor;
}

async function found(
  options: RecoverOptions,
  { file, pki, pkiDir, work, survivor }: Founding,
): Promise<NonNullable<Recovered['founded']>> {
  const { dataDir, clock, random } = options;
  const clusterId = random.bytes(8).toString('hex');
  const self =
    survivor.membership?.peers.find((peer) => peer.name === file.name) ??
    file.members?.find((member) => member.name === file.name);
  if (self === undefined)
    throw new UserError(
      `neither the state nor member.json tells the addresses of ${file.name}; start it once with its usual flags, stop it, and try again`,
    );
  const peer: PeerInfo = { ...knownMember({ ...self, learner: false }), id: randomMemberId(random), learner: false };
  const revision = await foundFrom(work, survivor, { clusterId, peer, clock });
  const aside = await freshFolder(join(dataDir, `aside-${stamp(clock)}`));
  await writeMemberFile(aside, file);
  // The secrets first: from here on the old members, and this one until it is switched, are refused.
  await markRecovered(pkiDir, pki.clusterId);
  await writeClusterPki(pkiDir, { ...pki, clusterId });
  await moveState(dataDir, aside);
  for (const folder of STATE_FOLDERS) await rename(join(work, folder), join(dataDir, folder));
  const { removed: _removed, ...rest } = file;
  await writeMemberFile(dataDir, { ...rest, clusterId, id: peer.id, pkiDir, members: [knownMember(peer)] });
  return { clusterId, formerClusterId: pki.clusterId, revision, aside };
}
