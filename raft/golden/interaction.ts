/** The commands of interaction scripts. */
import type { Transition } from '../core/confchange/change.js';
import type { CoreOptions } from '../core/options.js';
import { NO_DATA } from '../core/types/entry.js';
import type { MessageType } from '../core/types/message.js';
import type { NodeId } from '../core/types/ids.js';
import type { Argument, Directive } from './datadriven.js';
import { MESSAGE_NAMES, parseChanges } from './describe.js';
import { Environment, ERRORS, ScriptError } from './environment.js';
import type { Recipient } from './environment.js';

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'none'];

interface Session {
  readonly environment: Environment;
  level: string;
}

export function interactionRunner(randomInt: (bound: number) => number): (directive: Directive) => string {
  const session: Session = { environment: new Environment(randomInt), level: 'debug' };
  return (directive) => {
    let error = '';
    // A level given with the command holds for the command alone.
    const before = session.level;
    try {
      const run = COMMANDS[directive.command];
      if (run === undefined) throw new ScriptError('unknown command');
      run(session, directive);
    } catch (thrown) {
      if (!(thrown instanceof ScriptError)) throw thrown;
      error = thrown.message;
    }
    const output = session.environment.takeOutput();
    const isQuiet = session.level === 'none';
    if (directive.command !== 'log-level') session.level = before;
    if (isQuiet) return error;
    return [output, error].filter((part) => part !== '').join('\n');
  };
}

type Command = (session: Session, directive: Directive) => void;

const isNumber = ({ key }: Argument): boolean => /^\d+$/.test(key);
const numbers = (directive: Directive): number[] => directive.args.filter(isNumber).map(({ key }) => Number(key));
const first = (directive: Directive): NodeId => numbers(directive)[0] ?? 0;
const value = (directive: Directive, key: string): string | undefined =>
  directive.args.find((arg) => arg.key === key)?.values[0];
const check = (result: 'ok' | keyof typeof ERRORS): void => {
  if (result !== 'ok') throw new ScriptError(ERRORS[result]);
};

/** The nodes that a command names, or all. */
function nodes(session: Session, directive: Directive): NodeId[] {
  const named = numbers(directive);
  return named.length > 0 ? named : session.environment.ids;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  _breakpoint: () => undefined,
  'add-nodes': addNodes,
  campaign: ({ environment }, directive) => environment.node(first(directive)).campaign(),
  compact: ({ environment }, directive) => environment.compact(first(directive), numbers(directive)[1] ?? 0),
  'deliver-msgs': deliver,
  'forget-leader': ({ environment }, directive) => environment.node(first(directive)).forgetLeader(),
  'log-level': setLevel,
  'process-append-thread': (session, directive) =>
    session.environment.forEach(nodes(session, directive), 'processing append thread', (id) =>
      session.environment.processAppendThread(id),
    ),
  'process-apply-thread': (session, directive) =>
    session.environment.forEach(nodes(session, directive), 'processing apply thread', (id) =>
      session.environment.processApplyThread(id),
    ),
  'process-ready': (session, directive) =>
    session.environment.forEach(nodes(session, directive), 'handling Ready', (id) =>
      session.environment.processReady(id),
    ),
  propose: ({ environment }, directive) => {
    const data = Buffer.from(directive.args[1]?.key ?? '');
    check(environment.node(first(directive)).propose([{ kind: 'normal', data, proposal: 0 }]));
  },
  'propose-conf-change': proposeConfChange,
  'raft-log': ({ environment }, directive) => environment.raftLog(first(directive)),
  'raft-state': ({ environment }) => environment.raftState(),
  'read-index': ({ environment }, directive) =>
    environment.node(first(directive)).readIndex(numbers(directive)[1] ?? 0),
  'report-snapshot': ({ environment }, directive) =>
    environment
      .node(first(directive))
      .reportSnapshot(numbers(directive)[1] ?? 0, value(directive, 'failed') === 'true'),
  'report-unreachable': ({ environment }, directive) =>
    environment.node(first(directive)).reportUnreachable(numbers(directive)[1] ?? 0),
  'send-snapshot': ({ environment }, directive) =>
    environment.sendSnapshot(first(directive), numbers(directive)[1] ?? 0),
  'set-randomized-election-timeout': ({ environment }, directive) =>
    environment.node(first(directive)).setElectionTimeout(Number(value(directive, 'timeout'))),
  stabilize: (session, directive) => {
    const level = value(directive, 'log-level');
    if (level !== undefined) session.level = level.toLowerCase();
    session.environment.stabilize(nodes(session, directive));
  },
  'step-down': ({ environment }, directive) => environment.node(first(directive)).stepDown(),
  withdraw: ({ environment }, directive) => environment.node(first(directive)).withdraw(),
  status: ({ environment }, directive) => environment.status(first(directive)),
  'tick-election': ({ environment }, directive) => environment.tickElection(first(directive)),
  'tick-heartbeat': ({ environment }, directive) => environment.node(first(directive)).tick(),
  'transfer-leadership': ({ environment }, directive) =>
    environment.node(Number(value(directive, 'from'))).transferLeadership(Number(value(directive, 'to'))),
};

function setLevel(session: Session, directive: Directive): void {
  const level = (directive.args[0]?.key ?? '').toLowerCase();
  if (!LEVELS.includes(level)) throw new ScriptError(`log levels must be either of ${LEVELS.join(' ')}`);
  session.level = level;
}

function addNodes({ environment }: Session, directive: Directive): void {
  const list = (key: string): NodeId[] => (directive.args.find((arg) => arg.key === key)?.values ?? []).map(Number);
  const flag = (key: string): boolean => value(directive, key) === 'true';
  const limit = (key: string): number => Number(value(directive, key) ?? Infinity);
  const options: Partial<CoreOptions> = {
    inflightMax: limit('inflight'),
    inflightBytesMax: limit('inflight-bytes'),
    messageBytesMax: limit('max-message-size'),
    uncommittedBytesMax: limit('max-uncommitted-size'),
    committedBytesPerReadyMax: limit('max-committed-size-per-ready'),
    asyncStorageWrites: flag('async-storage-writes'),
    preVote: flag('prevote'),
    checkQuorum: flag('checkquorum'),
    disableProposalForwarding: flag('disable-proposal-forwarding'),
    disableConfChangeValidation: flag('disable-conf-change-validation'),
    stepDownOnRemoval: flag('step-down-on-removal'),
    readOnly: value(directive, 'read-only') === 'lease-based' ? 'lease-based' : 'safe',
  };
  const confState = {
    voters: list('voters'),
    votersOutgoing: [],
    learners: list('learners'),
    learnersNext: [],
    autoLeave: false,
  };
  for (let i = 0; i < first(directive); i++)
    environment.addNode(options, confState, Number(value(directive, 'index') ?? 0));
}

function deliver(session: Session, directive: Directive): void {
  const recipients: Recipient[] = [];
  let type: MessageType | undefined;
  for (const arg of directive.args) {
    if (isNumber(arg)) recipients.push({ id: Number(arg.key), isDropped: false });
    else if (arg.key === 'drop') recipients.push(...arg.values.map((id) => ({ id: Number(id), isDropped: true })));
    else if (arg.key === 'type')
      type = (Object.keys(MESSAGE_NAMES) as MessageType[]).find((name) => MESSAGE_NAMES[name] === arg.values[0]);
  }
  if (session.environment.deliver(recipients, type) === 0) session.environment.print('no messages');
}

function proposeConfChange({ environment }: Session, directive: Directive): void {
  const transition = (value(directive, 'transition') ?? 'auto') as Transition;
  if (!['auto', 'implicit', 'explicit'].includes(transition)) throw new ScriptError(`unknown transition ${transition}`);
  const changes = parseChanges(directive.input);
  const isSingle = value(directive, 'v1') === 'true';
  if (isSingle && (changes.length > 1 || transition !== 'auto')) {
    throw new ScriptError('v1 conf change can only have one operation and no transition');
  }
  check(environment.node(first(directive)).proposeConfChange({ transition, changes, context: NO_DATA }, { isSingle }));
}
