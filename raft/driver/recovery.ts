/** What a member starts from: a cluster's beginning, or what its disk kept. */
import { RaftError } from '../contract.js';
import type { LogIndex, Membership } from '../contract.js';
import { corrupt } from '../log/records.js';
import { checkLevel } from './levels.js';
import { confStateOf, initialMembership } from './membership.js';
import type { MemberOptions } from './options.js';

/**
 * A new cluster begins as if it had a snapshot of nothing at this index: so nobody can replay the log from before it,
 * and whoever joins later is sent a snapshot, which tells the membership.
 */
const BEGINNING = { index: 1, term: 1 } as const;

export async function recover(options: MemberOptions): Promise<Membership> {
  const { log, stateMachine } = options;
  if (log.isFresh) {
    if (stateMachine.durableIndex > BEGINNING.index) {
      throw corrupt(`the state is at index ${stateMachine.durableIndex} but the log is empty`);
    }
    if (!options.join) await begin(options);
  }
  await finishSnapshot(options);
  const membership = stateMachine.durableMembership ?? { ...initialMembership(0, []), peers: options.peers };
  checkLevel(membership, options.level);
  const { view } = log;
  const durable = stateMachine.durableIndex;
  if (durable > view.lastIndex) throw corrupt(`the state is at index ${durable} but the log ends at ${view.lastIndex}`);
  if (durable < view.firstIndex - 1)
    throw corrupt(`the state is at index ${durable} but the log begins at ${view.firstIndex}`);
  view.confState = confStateOf(membership);
  // What is in the durable state was committed, even if the log was not told yet.
  if (durable > view.hardState.commit) view.hardState = { ...view.hardState, commit: durable };
  const term = view.term(durable);
  if (durable > 0 && term !== undefined) view.setSnapshot({ index: durable, term, confState: view.confState });
  return membership;
}

/** The state was switched to a snapshot, but this member stopped before the log was: the log follows now. */
async function finishSnapshot({ log, stateMachine }: MemberOptions): Promise<void> {
  const prepared = log.preparedSnapshot;
  const membership = stateMachine.durableMembership;
  if (prepared === undefined || membership === undefined || prepared.index !== stateMachine.durableIndex) return;
  const { hardState } = log.view;
  const snapshot = { ...prepared, confState: confStateOf(membership) };
  await log.write([
    { entries: [], snapshot, hardState: { ...hardState, commit: Math.max(hardState.commit, prepared.index) } },
  ]);
}

async function begin(options: MemberOptions): Promise<void> {
  const { id, peers, log, stateMachine } = options;
  if (!peers.some((peer) => peer.id === id))
    throw new RaftError('invalid', `member ${id} is not among the first members of the cluster`);
  const membership = initialMembership(BEGINNING.index, peers);
  // The state first: a beginning that is interrupted here is repeated.
  await stateMachine.persist(BEGINNING.index as LogIndex, membership);
  await log.write([
    {
      entries: [],
      hardState: { term: BEGINNING.term, vote: 0, commit: BEGINNING.index },
      snapshot: { ...BEGINNING, confState: confStateOf(membership) },
    },
  ]);
}
