/** The traces' way of writing what the core says. */
import { decodeConfChange } from '../core/confchange/change.js';
import type { Change, ChangeKind } from '../core/confchange/change.js';
import type { Ready } from '../core/ready.js';
import type { Configuration } from '../core/tracker/configuration.js';
import type { Progress, ProgressState } from '../core/tracker/progress.js';
import { APPEND_THREAD, APPLY_THREAD } from '../core/types/ids.js';
import type { ConfState, HardState, Role, Snapshot } from '../core/types/state.js';
import type { Entry, EntryKind, ProposedEntry } from '../core/types/entry.js';
import type { Message, MessageType } from '../core/types/message.js';
import type { NodeId } from '../core/types/ids.js';

export const MESSAGE_NAMES: Record<MessageType, string> = {
  hup: 'MsgHup',
  beat: 'MsgBeat',
  'check-quorum': 'MsgCheckQuorum',
  unreachable: 'MsgUnreachable',
  'snap-status': 'MsgSnapStatus',
  prop: 'MsgProp',
  app: 'MsgApp',
  'app-resp': 'MsgAppResp',
  vote: 'MsgVote',
  'vote-resp': 'MsgVoteResp',
  'pre-vote': 'MsgPreVote',
  'pre-vote-resp': 'MsgPreVoteResp',
  snap: 'MsgSnap',
  heartbeat: 'MsgHeartbeat',
  'heartbeat-resp': 'MsgHeartbeatResp',
  'transfer-leader': 'MsgTransferLeader',
  'timeout-now': 'MsgTimeoutNow',
  'forget-leader': 'MsgForgetLeader',
  'read-index': 'MsgReadIndex',
  'read-index-resp': 'MsgReadIndexResp',
  'storage-append': 'MsgStorageAppend',
  'storage-append-resp': 'MsgStorageAppendResp',
  'storage-apply': 'MsgStorageApply',
  'storage-apply-resp': 'MsgStorageApplyResp',
};
const ROLE_NAMES: Record<Role, string> = {
  follower: 'StateFollower',
  candidate: 'StateCandidate',
  'pre-candidate': 'StatePreCandidate',
  leader: 'StateLeader',
};
const KIND_NAMES: Record<EntryKind, string> = {
  normal: 'EntryNormal',
  'conf-change': 'EntryConfChange',
  'conf-change-v2': 'EntryConfChangeV2',
};
const PROGRESS_NAMES: Record<ProgressState, string> = {
  probe: 'StateProbe',
  replicate: 'StateReplicate',
  snapshot: 'StateSnapshot',
};
const CHANGE_LETTERS: Record<ChangeKind, string> = { 'add-voter': 'v', 'add-learner': 'l', remove: 'r', update: 'u' };

export const describeRole = (role: Role): string => ROLE_NAMES[role];

function describeChanges(changes: readonly Change[]): string {
  return changes.map(({ kind, id }) => `${CHANGE_LETTERS[kind]}${id}`).join(' ');
}

/** Throws on what is no change: `v1`, `l2`, `r3`, `u4`. */
export function parseChanges(text: string): Change[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => {
      const kind = (Object.keys(CHANGE_LETTERS) as ChangeKind[]).find((name) => CHANGE_LETTERS[name] === word[0]);
      const id = Number(word.slice(1));
      if (kind === undefined || !Number.isSafeInteger(id)) throw new Error(`unknown input: ${word}`);
      return { kind, id };
    });
}

export function describeEntry(entry: Entry | ProposedEntry): string {
  const place = 'term' in entry ? `${entry.term}/${entry.index}` : '0/0';
  const text =
    entry.kind === 'normal'
      ? quote(Buffer.from(entry.data).toString())
      : describeChanges(decodeConfChange(entry.data).changes);
  return `${place} ${KIND_NAMES[entry.kind]}${text === '' ? '' : ` ${text}`}`;
}

const quote = (text: string): string => JSON.stringify(text);

const describeTarget = (id: NodeId): string =>
  id === APPEND_THREAD ? 'AppendThread' : id === APPLY_THREAD ? 'ApplyThread' : String(id);

export function describeMessage(m: Message, indent = ''): string {
  let text = `${indent}${describeTarget(m.from)}->${describeTarget(m.to)} ${MESSAGE_NAMES[m.type]} Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.reject) text += ` Rejected (Hint: ${m.rejectHint})`;
  if (m.commit !== 0) text += ` Commit:${m.commit}`;
  if (m.vote !== 0) text += ` Vote:${m.vote}`;
  const [first] = m.entries;
  if (first !== undefined && m.entries.length === 1) text += ` Entries:[${describeEntry(first)}]`;
  else if (first !== undefined)
    text += ` Entries:[${m.entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`).join('')}\n${indent}]`;
  if (m.snapshot !== undefined) text += `\n${indent}  Snapshot: ${describeSnapshot(m.snapshot)}`;
  if (m.responses.length > 0)
    text += ` Responses:[${m.responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`).join('')}\n${indent}]`;
  return text;
}

function describeSnapshot({ index, term, confState }: Snapshot): string {
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

function describeConfState(state: ConfState): string {
  const list = (ids: readonly NodeId[]) => `[${ids.join(' ')}]`;
  return (
    `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} Learners:${list(state.learners)}` +
    ` LearnersNext:${list(state.learnersNext)} AutoLeave:${String(state.autoLeave)}`
  );
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === 0 ? '' : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeReady(ready: Ready): string[] {
  const lines: string[] = [];
  if (ready.softState !== undefined)
    lines.push(`Lead:${ready.softState.lead} State:${ROLE_NAMES[ready.softState.role]}`);
  if (ready.hardState !== undefined) lines.push(`HardState ${describeHardState(ready.hardState)}`);
  if (ready.readStates.length > 0)
    lines.push(`ReadStates ${ready.readStates.map(({ index, context }) => `${index}:${context}`).join(' ')}`);
  if (ready.entries.length > 0) lines.push('Entries:', ...ready.entries.map(describeEntry));
  if (ready.snapshot !== undefined) lines.push(`Snapshot ${describeSnapshot(ready.snapshot)}`);
  if (ready.committedEntries.length > 0) lines.push('CommittedEntries:', ...ready.committedEntries.map(describeEntry));
  if (ready.messages.length > 0)
    lines.push('Messages:', ...ready.messages.flatMap((m) => describeMessage(m).split('\n')));
  return lines.length === 0 ? ['<empty Ready>'] : [`Ready MustSync=${String(ready.mustSync)}:`, ...lines];
}

export function describeProgress(id: NodeId, progress: Readonly<Progress>): string {
  let text = `${id}: ${PROGRESS_NAMES[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += ' learner';
  if (progress.isPaused()) text += ' paused';
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += ' inactive';
  if (progress.inflights.count > 0)
    text += ` inflight=${progress.inflights.count}${progress.inflights.full() ? '[full]' : ''}`;
  return text;
}

export function describeConfiguration(configuration: Configuration): string {
  const list = (ids: ReadonlySet<NodeId>) => `(${[...ids].sort((a, b) => a - b).join(' ')})`;
  const { voters, learners, learnersNext, autoLeave } = configuration;
  let text = `voters=${list(voters.incoming)}`;
  if (voters.outgoing.size > 0) text += `&&${list(voters.outgoing)}`;
  if (learners.size > 0) text += ` learners=${list(learners)}`;
  if (learnersNext.size > 0) text += ` learners_next=${list(learnersNext)}`;
  return autoLeave ? `${text} autoleave` : text;
}
