/** Rebuilds a configuration from the form that snapshots and logs keep, through the same rules as any change. */
import { EMPTY_CONFIGURATION } from '../tracker/configuration.js';
import type { InflightLimits } from '../tracker/progress.js';
import type { ConfState } from '../types/state.js';
import type { LogIndex, NodeId } from '../types/ids.js';
import type { Change, ChangeKind } from './change.js';
import { changeSimply, enterJoint } from './changer.js';
import type { ChangeResult } from './changer.js';

export function restoreConfiguration(state: ConfState, lastIndex: LogIndex, limits: InflightLimits): ChangeResult {
  const each = (kind: ChangeKind, ids: readonly NodeId[]): Change[] => ids.map((id) => ({ kind, id }));
  const incoming = [
    ...each('remove', state.votersOutgoing),
    ...each('add-voter', state.voters),
    ...each('add-learner', state.learners),
    ...each('add-learner', state.learnersNext),
  ];
  let result: ChangeResult = { configuration: EMPTY_CONFIGURATION, progress: new Map() };
  const base = () => ({ ...result, limits, lastIndex });
  const isJoint = state.votersOutgoing.length > 0;
  // The outgoing half is built first, as if it were the only one; entering the joint state moves it to its place.
  for (const change of isJoint ? each('add-voter', state.votersOutgoing) : incoming) {
    result = changeSimply(base(), [change]);
  }
  return isJoint ? enterJoint(base(), incoming, state.autoLeave) : result;
}
