/**
 * Turns the log and state of one survivor into the beginning of a new cluster, offline, in a copy of its directories:
 * what the log holds is applied to its end, the membership becomes this one member, and the log begins anew behind it.
 * The revision jumps ahead and history before it counts as compacted, so that no watcher that had seen more goes on as
 * if nothing was lost (etcd #16028).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../../platform/assert.js';
import type { Clock } from '../../../platform/clock.js';
import { systemFolder } from '../../../platform/disk/system-disk.js';
import { RaftError } from '../../../raft/contract.js';
import type { CommittedEntry, LogIndex, Membership, NodeId, PeerInfo, Term } from '../../../raft/contract.js';
import { openDurableLog } from '../../../raft/log/durable-log.js';
import type { MemberLog } from '../../../raft/log/log.js';
import { encodeMeta, META_KEY } from '../disk/layout.js';
import { StateDirectory } from '../disk/directory.js';
import { StateDisk } from '../disk/state-disk.js';
import { KvStateMachine } from '../disk/state-machine.js';

export interface SurvivorIdentity {
  readonly clusterId: string;
  readonly nodeId: NodeId;
}

/** What a survivor holds. The newest of several has the highest term, then the highest index. */
export interface Survivor {
  readonly term: Term;
  readonly lastIndex: LogIndex;
  /** Entries behind it were not known to be committed here: they may have been acknowledged, or not. */
  readonly commitIndex: LogIndex;
  readonly revision: number;
  readonly membership: Membership | undefined;
  /** What this survivor's disk is known to have lost of it. */
  readonly lost?: string;
}

/** etcd's restore jumps as far: nobody writes so much between a member's death and its recovery. */
const REVISION_JUMP = 1_000_000_000;
const PAGE_BYTES = 8 << 20;

/**
 * Applies the log to its end in `directory` (`raft/` and `state/`, a copy), and says what came out. Rejects with
 * `corrupt`.
 */
export async function settleSurvivor(directory: string, identity: SurvivorIdentity, clock: Clock): Promise<Survivor> {
  let lost: RaftError | undefined;
  const log = await openDurableLog({
    directory: join(directory, 'raft'),
    ...identity,
    clock,
    onLostEnd: (error) => (lost = error),
  });
  try {
    const machine = await KvStateMachine.open({ directory: join(directory, 'state'), clock });
    try {
      const survivor = await applyAll(log, machine);
      return lost === undefined ? survivor : { ...survivor, lost: lost.message.split(':')[0] ?? '' };
    } finally {
      await machine.close();
    }
  } finally {
    await log.close();
  }
}

async function applyAll({ view }: MemberLog, machine: KvStateMachine): Promise<Survivor> {
  const from = machine.durableIndex;
  if (from < view.firstIndex - 1) {
    throw new RaftError(
      'corrupt',
      `the state stands at entry ${from}, the log holds ${view.firstIndex} to ${view.lastIndex}: they do not fit together`,
    );
  }
  for (let next = from + 1; next <= view.lastIndex;) {
    const page = view.entries(next, view.lastIndex + 1, PAGE_BYTES);
    assert(page.length > 0, 'the log has no hole');
    // Membership changes end here: the new cluster has one member.
    machine.apply(
      page.map((entry) =>
        entry.kind === 'normal' ? entry : { ...entry, data: new Uint8Array() },
      ) as unknown as CommittedEntry[],
    );
    next += page.length;
  }
  const membership = machine.durableMembership;
  if (machine.appliedIndex > from && membership !== undefined) await machine.persist(machine.appliedIndex, membership);
  // The state may reach further than a log whose end is gone.
  const lastIndex = Math.max(view.lastIndex, from) as LogIndex;
  const term = (view.term(lastIndex) ?? view.hardState.term) as Term;
  return {
    term,
    lastIndex,
    commitIndex: Math.max(view.hardState.commit, from) as LogIndex,
    revision: machine.state.mvcc.revision,
    membership,
  };
}

export interface Founder {
  readonly clusterId: string;
  readonly peer: PeerInfo;
  readonly clock: Clock;
}

/** Makes a settled copy the whole of a new cluster. Returns the revision it begins with. */
export async function foundFrom(directory: string, survivor: Survivor, founder: Founder): Promise<number> {
  const { lastIndex: index, term } = survivor;
  const {
    clock,
    peer: { id },
  } = founder;
  const membership: Membership = {
    index,
    voters: [id],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
    peers: [founder.peer],
  };
  const revision = survivor.revision + REVISION_JUMP;
  const state = await StateDirectory.open(systemFolder(join(directory, 'state')));
  const disk = await state.openDisk(state.current);
  try {
    // Alarms were raised by members of the old cluster: the new one raises its own.
    const meta = await new StateDisk(disk).meta();
    assert(meta !== undefined, 'a survivor has been settled before it founds anything');
    const value = encodeMeta({ ...meta, index, term, revision, compactRevision: revision, membership, alarms: [] });
    await disk.write([{ type: 'put', key: META_KEY, value }]);
  } finally {
    await disk.close();
  }
  await rm(join(directory, 'raft'), { recursive: true });
  const log = await openDurableLog({
    directory: join(directory, 'raft'),
    clusterId: founder.clusterId,
    nodeId: id,
    clock,
  });
  try {
    const confState = { voters: [id], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    await log.write([
      { entries: [], hardState: { term, vote: 0, commit: index }, snapshot: { index, term, confState } },
    ]);
  } finally {
    await log.close();
  }
  return revision;
}
