/** Cores that talk to each other under a script's control. Each command is a method; what it prints is the trace. */
import { decodeConfChange } from '../core/confchange/change.js';
import { MemoryStorage } from '../core/log/memory-storage.js';
import { RaftNode } from '../core/node.js';
import type { CoreOptions } from '../core/options.js';
import { message } from '../core/types/message.js';
import type { ConfState, HardState, Snapshot } from '../core/types/state.js';
import type { Entry } from '../core/types/entry.js';
import type { Message, MessageType } from '../core/types/message.js';
import type { NodeId } from '../core/types/ids.js';
import { describeEntry, describeMessage, describeProgress, describeReady, describeRole } from './describe.js';

const ELECTION_TICKS = 3;

interface Machine {
  readonly id: NodeId;
  readonly node: RaftNode;
  readonly storage: MemoryStorage;
  readonly isAsync: boolean;
  /** Configuration after the last applied entry. */
  confState: ConfState;
  appendWork: Message[];
  applyWork: Message[];
}

export interface Recipient {
  readonly id: NodeId;
  readonly isDropped: boolean;
}

/** An error whose text is part of the expected output. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
}

const isLocal = (m: Message): boolean => m.from === m.to || m.from < 0 || m.to < 0;

export class Environment {
  readonly #machines: Machine[] = [];
  #messages: Message[] = [];
  #lines: string[] = [];
  #indent = '';
  readonly #randomInt: (bound: number) => number;

  constructor(randomInt: (bound: number) => number) {
    this.#randomInt = randomInt;
  }

  get ids(): NodeId[] {
    return this.#machines.map(({ id }) => id);
  }

  node(id: NodeId): RaftNode {
    return this.#machine(id).node;
  }

  takeOutput(): string {
    const text = this.#lines.join('\n');
    this.#lines = [];
    return text;
  }

  print(...lines: readonly string[]): void {
    for (const line of lines) for (const part of line.split('\n')) this.#lines.push(this.#indent + part);
  }

  addNode(options: Partial<CoreOptions>, confState: ConfState, index: number): void {
    const id = this.#machines.length + 1;
    const storage = new MemoryStorage();
    const isBootstrapped = index > 0 || confState.voters.length > 0 || confState.learners.length > 0;
    if (isBootstrapped) {
      if (index <= 1) throw new ScriptError('index must be specified as > 1 due to bootstrap');
      storage.applySnapshot({ index, term: 1, confState });
    }
    const node = new RaftNode({
      id,
      storage,
      randomInt: this.#randomInt,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      applied: index,
      ...options,
    });
    this.#machines.push({
      id,
      node,
      storage,
      isAsync: options.asyncStorageWrites ?? false,
      confState,
      appendWork: [],
      applyWork: [],
    });
  }

  tickElection(id: NodeId): void {
    for (let i = 0; i < ELECTION_TICKS; i++) this.node(id).tick();
  }

  status(id: NodeId): void {
    // Only a leader knows how far the others are.
    if (this.node(id).status().role !== 'leader') return;
    this.print(...[...this.node(id).progress].map(([peer, progress]) => describeProgress(peer, progress)));
  }

  raftState(): void {
    for (const { id, node } of this.#machines) {
      const { role, term, lead } = node.status();
      const { incoming, outgoing } = node.configuration.voters;
      const voter = incoming.has(id) || outgoing.has(id) ? '(Voter)' : '(Non-Voter)';
      this.print(`${id}: ${describeRole(role)} ${voter} Term:${term} Lead:${lead}`);
    }
  }

  raftLog(id: NodeId): void {
    const { storage } = this.#machine(id);
    const { firstIndex, lastIndex } = storage;
    if (lastIndex < firstIndex) this.print(`log is empty: first index=${firstIndex}, last index=${lastIndex}`);
    else this.print(...storage.entries(firstIndex, lastIndex + 1, Infinity).map(describeEntry));
  }

  compact(id: NodeId, index: number): void {
    this.#machine(id).storage.compact(index);
    this.raftLog(id);
  }

  sendSnapshot(from: NodeId, to: NodeId): void {
    const snapshot = this.#machine(from).storage.snapshot();
    const m = message({ type: 'snap', from, to, term: this.node(from).status().term, snapshot });
    this.#messages.push(m);
    this.print(describeMessage(m));
  }

  /** How many there were. */
  deliver(recipients: readonly Recipient[], type?: MessageType): number {
    let count = 0;
    for (const { id, isDropped } of recipients) {
      const due = this.#messages.filter((m) => isFor(m, { id, isDropped }, type));
      this.#messages = this.#messages.filter((m) => !isFor(m, { id, isDropped }, type));
      count += due.length;
      for (const m of due) {
        this.print((isDropped ? 'dropped: ' : '') + describeMessage(m));
        if (isDropped) continue;
        const result = this.node(id).step(m);
        if (result !== 'ok') this.print(ERRORS[result]);
      }
    }
    return count;
  }

  /** One command over several nodes, with a headline for each when there are more than one. */
  forEach(ids: readonly NodeId[], headline: string, work: (id: NodeId) => void): void {
    for (const id of ids) {
      if (ids.length === 1) work(id);
      else this.#section(`> ${id} ${headline}`, () => work(id));
    }
  }

  processReady(id: NodeId): void {
    const machine = this.#machine(id);
    const ready = machine.node.ready();
    this.print(...describeReady(ready));
    if (!machine.isAsync) {
      write(machine, ready);
      applyEntries(machine, ready.committedEntries);
    }
    for (const m of ready.messages) {
      if (m.type === 'storage-append') machine.appendWork.push(m);
      else if (m.type === 'storage-apply') machine.applyWork.push(m);
      else this.#messages.push(m);
    }
    if (!machine.isAsync) machine.node.advance();
  }

  processAppendThread(id: NodeId): void {
    const machine = this.#machine(id);
    const work = machine.appendWork.shift();
    if (work === undefined) {
      this.print('no append work to perform');
      return;
    }
    this.#printWork(work);
    const hardState = { term: work.term, vote: work.vote, commit: work.commit };
    const isEmpty = work.term === 0 && work.vote === 0 && work.commit === 0;
    write(machine, {
      hardState: isEmpty ? undefined : hardState,
      entries: work.entries as readonly Entry[],
      snapshot: work.snapshot,
    });
    this.#messages.push(...work.responses);
  }

  processApplyThread(id: NodeId): void {
    const machine = this.#machine(id);
    const work = machine.applyWork.shift();
    if (work === undefined) {
      this.print('no apply work to perform');
      return;
    }
    this.#printWork(work);
    applyEntries(machine, work.entries as readonly Entry[]);
    this.#messages.push(...work.responses);
  }

  stabilize(ids: readonly NodeId[]): void {
    for (let isDone = false; !isDone;) {
      isDone = true;
      const round = (headline: string, hasWork: (machine: Machine) => boolean, work: (id: NodeId) => void) => {
        for (const id of ids) {
          if (!hasWork(this.#machine(id))) continue;
          this.#section(`> ${id} ${headline}`, () => work(id));
          isDone = false;
        }
      };
      round(
        'handling Ready',
        ({ node }) => node.hasReady(),
        (id) => this.processReady(id),
      );
      round(
        'receiving messages',
        ({ id }) => this.#messages.some(({ to }) => to === id),
        (id) => void this.deliver([{ id, isDropped: false }]),
      );
      round(
        'processing append thread',
        ({ appendWork }) => appendWork.length > 0,
        (id) => this.#drain(id, 'appendWork'),
      );
      round(
        'processing apply thread',
        ({ applyWork }) => applyWork.length > 0,
        (id) => this.#drain(id, 'applyWork'),
      );
    }
  }

  #drain(id: NodeId, work: 'appendWork' | 'applyWork'): void {
    while (this.#machine(id)[work].length > 0) {
      if (work === 'appendWork') this.processAppendThread(id);
      else this.processApplyThread(id);
    }
  }

  #printWork(work: Message): void {
    this.print(
      'Processing:',
      describeMessage({ ...work, responses: [] }),
      'Responses:',
      ...work.responses.map((m) => describeMessage(m)),
    );
  }

  #section(headline: string, work: () => void): void {
    this.print(headline);
    const outer = this.#indent;
    this.#indent += '  ';
    work();
    this.#indent = outer;
  }

  #machine(id: NodeId): Machine {
    const machine = this.#machines[id - 1];
    if (machine === undefined) throw new ScriptError(`node ${id} does not exist`);
    return machine;
  }
}

export const ERRORS = {
  'proposal-dropped': 'raft proposal dropped',
  'peer-not-found': 'raft: cannot step as peer not found',
  'local-message': 'raft: cannot step raft local message',
} as const;

/** Local messages must not get lost. */
function isFor(m: Message, { id, isDropped }: Recipient, type: MessageType | undefined): boolean {
  return m.to === id && !(isDropped && isLocal(m)) && (type === undefined || m.type === type);
}

function write(
  machine: Machine,
  parts: { hardState: HardState | undefined; entries: readonly Entry[]; snapshot: Snapshot | undefined },
): void {
  const { storage } = machine;
  if (parts.hardState !== undefined) storage.hardState = parts.hardState;
  if (parts.snapshot === undefined) {
    storage.append(parts.entries);
    return;
  }
  if (parts.entries.length > 0) throw new ScriptError("can't apply snapshot and entries at the same time");
  storage.applySnapshot(parts.snapshot);
  machine.confState = parts.snapshot.confState;
}

function applyEntries(machine: Machine, entries: readonly Entry[]): void {
  for (const { kind, data, index, term } of entries) {
    if (kind !== 'normal') machine.confState = machine.node.applyConfChange(decodeConfChange(data));
    machine.storage.setSnapshot({ index, term, confState: machine.confState });
  }
}
