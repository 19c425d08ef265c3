/**
 * `member.json` in a member's data directory: who it is, in which cluster, and where the others are. What a member must
 * know before it has spoken to anybody; the replicated membership is the authority on everything else.
 */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../../platform/clock.js';
import { writeFileAtomic } from '../../../platform/pki/files.js';
import type { Service } from '../../../platform/service.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import type { StoreMember } from '../../store/member/start.js';
import { UserError } from '../../../platform/user-error.js';

export interface KnownMember {
  readonly id: NodeId;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddresses: readonly string[];
}

export interface MemberFile {
  readonly name: string;
  /** '' while this member joins and has not been told. */
  readonly clusterId: string;
  /** Absent for the first members of a cluster: theirs follows from cluster and name. */
  readonly id?: NodeId;
  /** Where the cluster's secrets lie. */
  readonly pkiDir?: string;
  /** To be added by the others at the next start; its secrets come from them, or lie in `pkiDir` already. */
  readonly joining?: boolean;
  /** Why this member may not start again. */
  readonly removed?: string;
  /** A server without a store of its own: the directory never becomes a member's. */
  readonly external?: boolean;
  /** As last seen, this member included. */
  readonly members?: readonly KnownMember[];
}

const pathOf = (dataDir: string) => join(dataDir, 'member.json');

/** Undefined when there is none. */
export async function readMemberFile(dataDir: string): Promise<MemberFile | undefined> {
  const path = pathOf(dataDir);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const found = JSON.parse(text) as Partial<MemberFile>;
    if (typeof found.name === 'string' && typeof found.clusterId === 'string') return found as MemberFile;
  } catch {
    // Falls through.
  }
  throw new UserError(
    `${path} cannot be read; put it back from a backup, or empty the data directory and let the member join anew`,
  );
}

export async function writeMemberFile(dataDir: string, file: MemberFile): Promise<void> {
  await writeFileAtomic(pathOf(dataDir), `${JSON.stringify(file, null, 2)}\n`, 0o600);
}

export const knownMember = ({ id, name, peerAddress, clientAddresses }: PeerInfo): KnownMember => ({
  id,
  name,
  peerAddress,
  clientAddresses,
});

export const peerOfKnown = (member: KnownMember): PeerInfo => ({ ...member, learner: false });

/** gRPC addresses of all members but one. */
export const endpointsOf = (members: readonly KnownMember[], except?: NodeId): string[] =>
  members.filter((member) => member.id !== except).flatMap((member) => member.clientAddresses.slice(0, 1));

const RECOVERED_FILE = 'recovered.json';

/** The cluster of these secrets began from a survivor: nobody may found it again from an empty directory. */
export async function wasRecovered(pkiDir: string): Promise<boolean> {
  return access(join(pkiDir, RECOVERED_FILE)).then(
    () => true,
    () => false,
  );
}

export async function markRecovered(pkiDir: string, formerClusterId: string): Promise<void> {
  await writeFileAtomic(join(pkiDir, RECOVERED_FILE), `${JSON.stringify({ formerClusterId })}\n`, 0o600);
}

const INTERVAL_MS = 2_000;

export interface MemberFileKeeperOptions {
  readonly dataDir: string;
  readonly member: StoreMember;
  readonly clock: Clock;
}

/** Writes down where the others are, whenever that changes: a member that cannot start must find them. */
export class MemberFileKeeper implements Service {
  readonly name = 'member file';
  readonly #options: MemberFileKeeperOptions;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: MemberFileKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#look();
    this.#timer = this.#options.clock.every(INTERVAL_MS, () => {
      this.#looking = this.#looking.then(() => this.#look());
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { dataDir, member } = this.#options;
    const raft = await member.raftStatus().catch(() => undefined);
    // Before the first snapshot a joining member knows nothing better than what it was told.
    if (raft === undefined || raft.membership.index === 0 || raft.membership.peers.length === 0) return;
    const file = await readMemberFile(dataDir).catch(() => undefined);
    if (file === undefined) return;
    const { joining, ...rest } = file;
    const isMember = raft.membership.peers.some((peer) => peer.id === raft.id);
    const next: MemberFile = {
      ...rest,
      members: raft.membership.peers.map(knownMember),
      ...(joining === true && !isMember ? { joining } : {}),
    };
    if (JSON.stringify(next) !== JSON.stringify(file)) await writeMemberFile(dataDir, next).catch(() => undefined);
  }
}
