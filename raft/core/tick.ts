/** The passing of time. One tick is the unit of all timeouts. */
import type { Raft } from './raft.js';
import { step } from './step.js';
import { abortTransfer } from './transitions.js';
import { message } from './types/message.js';
import { NONE } from './types/ids.js';

export function tick(raft: Raft): void {
  if (raft.role === 'leader') tickLeader(raft);
  else tickElection(raft);
}

function tickElection(raft: Raft): void {
  raft.electionElapsed++;
  if (!raft.promotable() || raft.electionElapsed < raft.randomizedElectionTicks) return;
  raft.electionElapsed = 0;
  step(raft, message({ type: 'hup', to: raft.id, from: raft.id }));
}

function tickLeader(raft: Raft): void {
  raft.heartbeatElapsed++;
  raft.electionElapsed++;
  if (raft.electionElapsed >= raft.settings.electionTicks) {
    raft.electionElapsed = 0;
    if (raft.settings.checkQuorum) step(raft, message({ type: 'check-quorum', to: raft.id, from: raft.id }));
    // A transfer that took this long has failed: take proposals again.
    if (raft.transferee !== NONE) abortTransfer(raft);
  }
  // The quorum check may have ended the leadership.
  if (raft.role !== 'leader' || raft.heartbeatElapsed < raft.settings.heartbeatTicks) return;
  raft.heartbeatElapsed = 0;
  step(raft, message({ type: 'beat', to: raft.id, from: raft.id }));
}
