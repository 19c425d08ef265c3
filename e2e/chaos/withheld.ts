/**
 * Whether the machine let members send and hear heartbeats at all. Linux counts how long a thread was ready to run and
 * had to wait for a processor (run_delay of /proc/PID/task/TID/schedstat), and how long others had the processors of a
 * virtual machine (steal of /proc/stat). Looked at many times a second; both only grow, so that a look that comes late
 * makes what is told of a time coarser, never less. Members' Raft threads are told by their priority, which takes root:
 * else nothing is known.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { systemClock } from '../../platform/clock.js';

/** What had been withheld by some moment. */
export interface Look {
  /** Of the wall clock, as in logs. */
  readonly at_ms: number;
  /** Since they began, of each member's Raft thread. */
  readonly waited_ms: readonly number[];
  /** Since the machine began. */
  readonly stolen_ms: number;
}

const LOOK_INTERVAL_MS = 50;
/** One tick is 10 ms on every Linux there is. */
const TICK_MS = 10;
const STEAL_FIELD = 8;
const NICE_FIELD = 16;

/**
 * Withheld from two members together, from one moment to another: a heartbeat needs one that sends it and one that
 * hears it. Undefined: not known.
 */
export function withheld_ms(looks: readonly Look[], from_ms: number, to_ms: number): number | undefined {
  const first = looks.findLast(({ at_ms }) => at_ms <= from_ms);
  const last = looks.find(({ at_ms }) => at_ms >= to_ms);
  if (first === undefined || last === undefined) return undefined;
  const [most = 0, second = 0] = last.waited_ms
    .map((waited, i) => waited - (first.waited_ms[i] ?? 0))
    .toSorted((a, b) => b - a);
  return most + second + last.stolen_ms - first.stolen_ms;
}

/** Looks until it is stopped; returns what it saw, nothing where nothing can be seen. */
export function watchProcessors(pids: readonly number[]): { stop(): readonly Look[] } {
  const looks: Look[] = [];
  const look = () => {
    try {
      looks.push({ at_ms: systemClock.now(), waited_ms: threads.map((thread) => waitOf(thread)), stolen_ms: stolen() });
    } catch {
      // The member has ended, or this is no Linux that counts.
    }
  };
  const threads = pids.flatMap((pid) => raftThreads(pid).slice(0, 1));
  if (threads.length < pids.length) return { stop: () => looks };
  look();
  const timer = systemClock.every(LOOK_INTERVAL_MS, look);
  return {
    stop: () => {
      timer.cancel();
      look();
      return looks;
    },
  };
}

/** Those that go before others (services/store/member/worker.ts). */
function raftThreads(pid: number): string[] {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks)
      .map((task) => `${tasks}/${task}`)
      .filter((path) => {
        const stat = readFileSync(`${path}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[NICE_FIELD]) < 0;
      });
  } catch {
    return [];
  }
}

function waitOf(thread: string): number {
  const waited_ns = Number(readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[1]);
  if (Number.isNaN(waited_ns)) throw new Error(`${thread}/schedstat tells nothing`);
  return waited_ns / 1e6;
}

const stolen = (): number =>
  Number(/^cpu +.*/.exec(readFileSync('/proc/stat', 'utf8'))?.[0].split(/ +/)[STEAL_FIELD] ?? 0) * TICK_MS;

/**
 * For how long the main thread of a process has waited for a processor since it began; undefined where nobody counts.
 */
export function mainThreadWaited_ms(pid: number): number | undefined {
  try {
    return waitOf(`/proc/${pid}/task/${pid}`);
  } catch {
    return undefined;
  }
}
