/**
 * Whether a history of concurrent operations could have happened one after another, each at some moment between its
 * call and its return (Herlihy and Wing 1990). Wing and Gong's search with Lowe's memory of what was tried ("Testing
 * for linearizability", 2017): operations are taken in an order that real time allows; a set of operations done
 * together with the state they led to is never visited twice. Histories are split by key first, since linearizability
 * is local.
 */

export interface Operation<I, O> {
  readonly input: I;
  /** Undefined: the outcome is unknown. It may have happened at any time since, or never. */
  readonly output: O | undefined;
  readonly call: number;
  /** Infinity when the outcome is unknown. */
  readonly return: number;
}

export interface SequentialModel<S, I, O> {
  readonly initial: S;
  /** The state after the operation, or undefined if it could not have given this output in this state. */
  step(state: S, input: I, output: O | undefined): S | undefined;
  /** Equal for equal states. */
  name(state: S): string;
}

export type Verdict = 'linearizable' | 'not-linearizable' | 'too-hard';

/** An event in a list from which operations are lifted while they count as done. */
interface Node<I, O> {
  readonly id: number;
  readonly operation: Operation<I, O>;
  /** For a call: the node of its return. For a return: undefined. */
  end: Node<I, O> | undefined;
  previous: Node<I, O> | undefined;
  next: Node<I, O> | undefined;
}

/** An operation that counts as done, on top of those before it. */
interface Done<S, I, O> {
  readonly node: Node<I, O>;
  readonly previous: Done<S, I, O> | undefined;
  readonly before: S;
  readonly after: S;
  readonly count: number;
  /** Of another set that was visited, with the same hash. */
  readonly alike: Done<S, I, O> | undefined;
}

const STEPS_MAX = 5_000_000;

export function checkLinearizable<S, I, O>(
  model: SequentialModel<S, I, O>,
  history: readonly Operation<I, O>[],
): Verdict {
  const head = listOf(history);
  const isDone = new Uint8Array(history.length);
  /**
   * What was visited, by the hash of the set of operations that were done. Compared in full: a hash decides nothing.
   */
  const seen = new Map<number, Done<S, I, O>>();
  let hash = 0;
  let last: Done<S, I, O> | undefined;
  let { initial: state } = model;
  let entry = head.next;
  for (let steps = 0; head.next !== undefined; steps++) {
    if (steps > STEPS_MAX) return 'too-hard';
    if (entry?.end !== undefined) {
      const next = model.step(state, entry.operation.input, entry.operation.output);
      if (next !== undefined) {
        isDone[entry.id] = 1;
        const nextHash = hash ^ hashOf(entry.id);
        const candidate: Done<S, I, O> = {
          node: entry,
          previous: last,
          before: state,
          after: next,
          count: (last?.count ?? 0) + 1,
          alike: seen.get(nextHash),
        };
        if (!wasVisited(model, candidate, isDone)) {
          seen.set(nextHash, candidate);
          hash = nextHash;
          last = candidate;
          state = next;
          lift(entry);
          entry = head.next;
          continue;
        }
        isDone[entry.id] = 0;
      }
      entry = entry.next;
      continue;
    }
    // A return whose call is not done yet: some choice before was wrong.
    if (last === undefined) return 'not-linearizable';
    const { node, before, previous }: Done<S, I, O> = last;
    last = previous;
    state = before;
    hash ^= hashOf(node.id);
    isDone[node.id] = 0;
    unlift(node);
    entry = node.next;
  }
  return 'linearizable';
}

/** Whether the same operations, done in whatever order, have led to the same state before. */
function wasVisited<S, I, O>(model: SequentialModel<S, I, O>, candidate: Done<S, I, O>, isDone: Uint8Array): boolean {
  for (let other = candidate.alike; other !== undefined; other = other.alike) {
    if (other.count !== candidate.count || model.name(other.after) !== model.name(candidate.after)) continue;
    let at: Done<S, I, O> | undefined = other;
    while (at !== undefined && isDone[at.node.id] === 1) at = at.previous;
    if (at === undefined) return true;
  }
  return false;
}

/** Spread over 32 bits, so that sets of operations seldom have the same exclusive or. */
function hashOf(id: number): number {
  let hash = Math.imul(id + 1, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca77);
  return hash ^ (hash >>> 13);
}

function listOf<I, O>(history: readonly Operation<I, O>[]): Node<I, O> {
  const events: { at: number; isReturn: boolean; node: Node<I, O> }[] = [];
  for (const [id, operation] of history.entries()) {
    const end: Node<I, O> = { id, operation, end: undefined, previous: undefined, next: undefined };
    const call: Node<I, O> = { id, operation, end, previous: undefined, next: undefined };
    events.push(
      { at: operation.call, isReturn: false, node: call },
      { at: operation.return, isReturn: true, node: end },
    );
  }
  // At the same moment calls come first: they overlap.
  events.sort((a, b) => (a.at === b.at ? Number(a.isReturn) - Number(b.isReturn) : a.at < b.at ? -1 : 1));
  const head: Node<I, O> = {
    id: -1,
    operation: { call: 0, return: 0, output: undefined } as Operation<I, O>,
    end: undefined,
    previous: undefined,
    next: undefined,
  };
  let last = head;
  for (const { node } of events) {
    last.next = node;
    node.previous = last;
    last = node;
  }
  return head;
}

function unlink<I, O>(node: Node<I, O>): void {
  if (node.previous !== undefined) node.previous.next = node.next;
  if (node.next !== undefined) node.next.previous = node.previous;
}

function relink<I, O>(node: Node<I, O>): void {
  if (node.previous !== undefined) node.previous.next = node;
  if (node.next !== undefined) node.next.previous = node;
}

function lift<I, O>(call: Node<I, O>): void {
  unlink(call);
  if (call.end !== undefined) unlink(call.end);
}

function unlift<I, O>(call: Node<I, O>): void {
  if (call.end !== undefined) relink(call.end);
  relink(call);
}

// A register, as one key of the store is

export type RegisterInput =
  | { readonly kind: 'put'; readonly value: string }
  | { readonly kind: 'get' }
  | { readonly kind: 'delete' }
  /** Writes `value` if `expected` is there. */
  | { readonly kind: 'swap'; readonly expected: string; readonly value: string };

/** Of a get: what it read, `null` when there was nothing. Of a delete and a swap: whether it changed something. */
export type RegisterOutput = string | null | boolean;

export const registerModel: SequentialModel<string | null, RegisterInput, RegisterOutput> = {
  initial: null,
  step(state, input, output) {
    switch (input.kind) {
      case 'put':
        return input.value;
      case 'get':
        return output === undefined || output === state ? state : undefined;
      case 'delete':
        return output === undefined || output === (state !== null) ? null : undefined;
      case 'swap': {
        const isDone = state === input.expected;
        if (output !== undefined && output !== isDone) return undefined;
        return isDone ? input.value : state;
      }
      default:
        return input satisfies never;
    }
  },
  name: (state) => (state === null ? '-' : `=${state}`),
};
