/** Membership changes as the algorithm sees them: what may be proposed, and what an applied change does (thesis 4). */
import { decodeConfChange, encodeConfChange, passage } from './confchange/change.js';
import type { ConfChange } from './confchange/change.js';
import { changeSimply, enterJoint, leaveJoint } from './confchange/changer.js';
import type { ChangeResult } from './confchange/changer.js';
import { restoreConfiguration } from './confchange/restore.js';
import type { Raft } from './raft.js';
import { appendAsLeader, broadcastAppend, sendAppend, tryCommit } from './replication.js';
import { isJoint, toConfState } from './tracker/configuration.js';
import { Tracker } from './tracker/tracker.js';
import { abortTransfer, becomeFollower } from './transitions.js';
import { NO_DATA } from './types/entry.js';
import { NONE } from './types/ids.js';
import type { ConfState } from './types/state.js';
import type { ProposedEntry } from './types/entry.js';

/** Takes proposals into the leader's log. False: dropped, they did not happen. */
export function proposeAsLeader(raft: Raft, proposed: readonly ProposedEntry[]): boolean {
  // Removed while leading, or handing over: whatever came in now might be lost.
  if (!raft.tracker.progress.has(raft.id) || raft.transferee !== NONE) return false;
  const entries = proposed.map((entry, i) => (entry.kind === 'normal' ? entry : admitConfChange(raft, entry, i)));
  if (!appendAsLeader(raft, entries)) return false;
  broadcastAppend(raft);
  return true;
}

/** One change at a time, and joint states are left before the next one: others become empty entries. */
function admitConfChange(raft: Raft, entry: ProposedEntry, position: number): ProposedEntry {
  const isPending = raft.pendingConfIndex > raft.log.applied;
  const wantsLeave = decodeConfChange(entry.data).changes.length === 0;
  const isWrong = isPending || wantsLeave !== isJoint(raft.tracker.configuration);
  if (isWrong && !raft.settings.disableConfChangeValidation)
    return { kind: 'normal', data: NO_DATA, proposal: entry.proposal };
  raft.pendingConfIndex = raft.log.lastIndex + position + 1;
  return entry;
}

/**
 * After an apply: leaves a joint state that was to be left by itself. Dropped proposals are repeated at the next apply.
 */
export function leaveJointIfDue(raft: Raft): void {
  const isDue = raft.tracker.configuration.autoLeave && raft.log.applied >= raft.pendingConfIndex;
  if (raft.role !== 'leader' || !isDue) return;
  const data = encodeConfChange({ transition: 'auto', changes: [], context: NO_DATA });
  proposeAsLeader(raft, [{ kind: 'conf-change-v2', data, proposal: 0 }]);
}

/** Called by the driver when it applies the entry. Throws ConfChangeError for a change that the rules forbid. */
export function applyConfChange(raft: Raft, change: ConfChange): ConfState {
  const { configuration, progress, limits } = raft.tracker;
  const base = { configuration, progress, limits, lastIndex: raft.log.lastIndex };
  const way = passage(change);
  if (way.kind === 'leave-joint') return switchTo(raft, leaveJoint(base));
  if (way.kind === 'enter-joint') return switchTo(raft, enterJoint(base, change.changes, way.autoLeave));
  way.kind satisfies 'simple';
  return switchTo(raft, changeSimply(base, change.changes));
}

/** Starts the configuration anew, from a snapshot or at start. */
export function restoreMembership(raft: Raft, state: ConfState): void {
  raft.tracker = new Tracker(raft.tracker.limits);
  switchTo(raft, restoreConfiguration(state, raft.log.lastIndex, raft.tracker.limits));
}

function switchTo(raft: Raft, result: ChangeResult): ConfState {
  raft.tracker.switchTo(result.configuration, result.progress);
  const state = toConfState(result.configuration);
  const own = result.progress.get(raft.id);
  raft.isLearner = own?.isLearner ?? false;
  if (raft.role !== 'leader') return state;
  if (own === undefined || own.isLearner) {
    // A leader that is no voter any more counts itself in no quorum; it steps down if it was told to (thesis 4.2.2).
    if (raft.settings.stepDownOnRemoval) becomeFollower(raft, raft.term, NONE);
    return state;
  }
  if (state.voters.length === 0) return state;
  if (tryCommit(raft)) {
    broadcastAppend(raft);
  } else {
    // Newcomers need not wait for a heartbeat.
    for (const id of raft.tracker.progress.keys()) {
      if (id !== raft.id) sendAppend(raft, id, false);
    }
  }
  if (raft.transferee !== NONE && !raft.tracker.isVoter(raft.transferee)) abortTransfer(raft);
  return state;
}
