/**
 * Computes the configuration that a change leads to (thesis 4.3). Pure: takes a configuration with its progress and
 * returns new ones, or the reason why the change is not allowed.
 */
import { assert } from '../../../platform/assert.js';
import { isJoint } from '../tracker/configuration.js';
import type { Configuration } from '../tracker/configuration.js';
import { Progress } from '../tracker/progress.js';
import type { InflightLimits } from '../tracker/progress.js';
import type { LogIndex, NodeId } from '../types/ids.js';
import type { Change } from './change.js';

export interface ChangeBase {
  readonly configuration: Configuration;
  readonly progress: ReadonlyMap<NodeId, Progress>;
  readonly limits: InflightLimits;
  /** A node that joins is probed from here. */
  readonly lastIndex: LogIndex;
}

export interface ChangeResult {
  readonly configuration: Configuration;
  readonly progress: ReadonlyMap<NodeId, Progress>;
}

/** A change that the rules forbid; the message says which rule. */
export class ConfChangeError extends Error {
  override readonly name = 'ConfChangeError';
}

interface Draft {
  readonly base: ChangeBase;
  readonly incoming: Set<NodeId>;
  readonly outgoing: Set<NodeId>;
  readonly learners: Set<NodeId>;
  readonly learnersNext: Set<NodeId>;
  readonly progress: Map<NodeId, Progress>;
  /** Nodes whose learner flag turns; set when the draft is finished, so that a refused change leaves no trace. */
  readonly learnerFlags: Map<NodeId, boolean>;
}

/** At most one voter comes or goes; any number of learners. */
export function changeSimply(base: ChangeBase, changes: readonly Change[]): ChangeResult {
  const draft = draftOf(base);
  if (isJoint(base.configuration)) throw new ConfChangeError("can't apply simple config change in joint config");
  applyAll(draft, changes);
  if (symmetricDifference(base.configuration.voters.incoming, draft.incoming) > 1) {
    throw new ConfChangeError('more than one voter changed without entering joint config');
  }
  return finish(draft, false);
}

export function enterJoint(base: ChangeBase, changes: readonly Change[], autoLeave: boolean): ChangeResult {
  if (isJoint(base.configuration)) throw new ConfChangeError('config is already joint');
  if (base.configuration.voters.incoming.size === 0) throw new ConfChangeError("can't make a zero-voter config joint");
  const draft = draftOf(base);
  for (const id of draft.incoming) draft.outgoing.add(id);
  applyAll(draft, changes);
  return finish(draft, autoLeave);
}

export function leaveJoint(base: ChangeBase): ChangeResult {
  if (!isJoint(base.configuration)) throw new ConfChangeError("can't leave a non-joint config");
  const draft = draftOf(base);
  for (const id of draft.learnersNext) {
    draft.learners.add(id);
    draft.learnerFlags.set(id, true);
  }
  draft.learnersNext.clear();
  for (const id of draft.outgoing) {
    if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
  }
  draft.outgoing.clear();
  return finish(draft, false);
}

function draftOf(base: ChangeBase): Draft {
  const { voters, learners, learnersNext } = base.configuration;
  return {
    base,
    incoming: new Set(voters.incoming),
    outgoing: new Set(voters.outgoing),
    learners: new Set(learners),
    learnersNext: new Set(learnersNext),
    progress: new Map(base.progress),
    learnerFlags: new Map(),
  };
}

function applyAll(draft: Draft, changes: readonly Change[]): void {
  for (const { kind, id } of changes) {
    // A change that was voided on its way carries no node.
    if (id === 0) continue;
    if (kind === 'add-voter') makeVoter(draft, id);
    else if (kind === 'add-learner') makeLearner(draft, id);
    else if (kind === 'remove') remove(draft, id);
    else kind satisfies 'update';
  }
  if (draft.incoming.size === 0) throw new ConfChangeError('removed all voters');
}

function makeVoter(draft: Draft, id: NodeId): void {
  draft.incoming.add(id);
  if (!draft.progress.has(id)) {
    join(draft, id, false);
    return;
  }
  draft.learnerFlags.set(id, false);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
}

function makeLearner(draft: Draft, id: NodeId): void {
  const progress = draft.progress.get(id);
  if (progress === undefined) {
    draft.learners.add(id);
    join(draft, id, true);
    return;
  }
  if (draft.learners.has(id)) return;
  remove(draft, id);
  draft.progress.set(id, progress);
  // Still a voter of the outgoing half: it turns when the joint state is left.
  if (draft.outgoing.has(id)) {
    draft.learnersNext.add(id);
  } else {
    draft.learners.add(id);
    draft.learnerFlags.set(id, true);
  }
}

function remove(draft: Draft, id: NodeId): void {
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  if (!draft.outgoing.has(id)) draft.progress.delete(id);
}

function join(draft: Draft, id: NodeId, isLearner: boolean): void {
  const progress = new Progress(Math.max(draft.base.lastIndex, 1), isLearner, draft.base.limits);
  // It gets an election timeout of grace, or a quorum check right after it joined would count it as gone.
  progress.recentActive = true;
  draft.progress.set(id, progress);
}

function finish(draft: Draft, autoLeave: boolean): ChangeResult {
  for (const [id, isLearner] of draft.learnerFlags) {
    const progress = draft.progress.get(id);
    if (progress !== undefined) progress.isLearner = isLearner;
  }
  for (const id of [...draft.incoming, ...draft.outgoing, ...draft.learners, ...draft.learnersNext]) {
    assert(draft.progress.has(id), `no progress for node ${id} of the configuration`);
  }
  for (const id of draft.learnersNext)
    assert(draft.outgoing.has(id), `node ${id} is to become a learner but was no voter`);
  for (const id of draft.learners) {
    assert(!draft.incoming.has(id) && !draft.outgoing.has(id), `node ${id} is voter and learner at once`);
  }
  return {
    configuration: {
      voters: { incoming: draft.incoming, outgoing: draft.outgoing },
      learners: draft.learners,
      learnersNext: draft.learnersNext,
      autoLeave,
    },
    progress: draft.progress,
  };
}

function symmetricDifference(a: ReadonlySet<NodeId>, b: ReadonlySet<NodeId>): number {
  let count = 0;
  for (const id of a) if (!b.has(id)) count++;
  for (const id of b) if (!a.has(id)) count++;
  return count;
}
