/** The leader says that it leads, and what is committed (Raft paper, 5.2). */
import type { Raft } from './raft.js';
import { draft } from './types/message.js';

export function broadcastHeartbeat(raft: Raft, context: number): void {
  for (const [to, progress] of raft.tracker.progress) {
    if (to === raft.id) continue;
    // Never beyond what the follower is known to hold.
    const commit = Math.min(progress.match, raft.log.committed);
    const heartbeat = draft('heartbeat', to, raft.id);
    heartbeat.commit = commit;
    heartbeat.context = context;
    raft.post(heartbeat);
    progress.sentCommit(commit);
  }
}
