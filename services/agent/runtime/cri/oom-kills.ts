/**
 * Containers in which the kernel ended a process because memory ran out. containerd learns of it by an event of the
 * control group, and loses it when the group is removed first, as on a busy machine. The record in the kernel's log is
 * written before the process ends, and stays; control groups of version 1 and 2 are named alike there. Of a burst (more
 * than ten in five seconds) the kernel writes only some.
 *
 * In: records of /dev/kmsg. Out: container ids. It must never take a record for one of the kernel that a process wrote,
 * or throw: without a readable log nothing is known.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';

/** One record for each call, as /dev/kmsg gives it; undefined: no more for now. Throws an error with `code`. */
export interface KernelLog {
  next(): string | undefined;
  close(): void;
}

export interface KernelRecord {
  readonly isContinuation: boolean;
  readonly text: string;
}

const HEADER = /^(\d{1,10}),\d+,\d+,([^;]*);([^\n]*)/;
/** Beyond the three bits of the level: 0 is the kernel. A process cannot write that one. */
const FACILITY_SHIFT = 3;
/**
 * The victim's group ends before its command, which may hold anything. A path with a comma is not one that a runtime
 * makes.
 */
const VICTIM =
  /^oom-kill:constraint=CONSTRAINT_[A-Z_]+,nodemask=[^=]*,cpuset=[^,]*,mems_allowed=[\d,-]*,(?:oom_memcg=[^,]*|global_oom),task_memcg=(\/[^,]*),task=/;
const LAST_FIELDS = /,pid=\d+,uid=\d+$/;
/** `<id>`, or, where systemd holds the groups, `cri-containerd-<id>.scope`. */
const GROUP = /^(?:[a-z-]+-)?([0-9a-f]{64})(?:\.scope)?$/;
/** A record that other messages tore into pieces is not waited for for ever. */
const LENGTH_MAX = 8_192;
/** Of one look: more than a kernel keeps by default. What is left comes with the next. */
const RECORDS_MAX = 50_000;
const IDS_MAX = 10_000;

/** Undefined for what the kernel did not write. */
export function parseRecord(record: string): KernelRecord | undefined {
  const [, priority = '', flags = '', text = ''] = HEADER.exec(record) ?? [];
  if (priority === '' || Number(priority) >> FACILITY_SHIFT !== 0) return undefined;
  return { isContinuation: flags.split(',')[0] === 'c', text };
}

/** The containers that the victim belonged to: one, or with a runtime inside of a container more. */
export function victimContainers(text: string): string[] {
  const path = LAST_FIELDS.test(text) ? VICTIM.exec(text)?.[1] : undefined;
  return (path ?? '')
    .split('/')
    .map((name) => GROUP.exec(name)?.[1])
    .filter((id) => id !== undefined);
}

export class OomKills {
  readonly #open: () => KernelLog;
  readonly #ids = new Set<string>();
  #log: KernelLog | undefined;
  #isAbsent = false;
  /** A victim's record whose end has not come yet. */
  #unfinished = '';

  constructor(open: () => KernelLog = openKernelLog) {
    this.#open = open;
  }

  /** Whether the kernel ended a process of this container for want of memory, up to now. Never throws. */
  has(containerId: string): boolean {
    this.#read();
    return this.#ids.has(containerId);
  }

  close(): void {
    const log = this.#log;
    this.#isAbsent = true;
    this.#log = undefined;
    try {
      log?.close();
    } catch {
      // It is not read again.
    }
  }

  #read(): void {
    if (this.#isAbsent) return;
    try {
      this.#log ??= this.#open();
      for (let count = 0; count < RECORDS_MAX; count++) {
        const record = nextRecord(this.#log);
        if (record === undefined) return;
        this.#take(record);
      }
    } catch {
      // Without the right to read it, or without such a file: the runtime's own word is all there is.
      this.close();
    }
  }

  #take(record: string): void {
    const parsed = parseRecord(record);
    if (parsed === undefined) return;
    const { isContinuation, text } = parsed;
    if (!isContinuation) this.#unfinished = text.startsWith('oom-kill:') ? text : this.#unfinished;
    else if (this.#unfinished !== '') this.#unfinished += text;
    const found = victimContainers(this.#unfinished);
    for (const id of found) this.#ids.add(id);
    if (found.length > 0 || LAST_FIELDS.test(this.#unfinished) || this.#unfinished.length > LENGTH_MAX)
      this.#unfinished = '';
    for (const oldest of this.#ids) {
      if (this.#ids.size <= IDS_MAX) break;
      this.#ids.delete(oldest);
    }
  }
}

/**
 * Records that were overwritten before they were read (EPIPE), or are too long (EINVAL), are passed over by the kernel.
 */
const PASSED_OVER = new Set(['EPIPE', 'EINVAL', 'EINTR']);

function nextRecord(log: KernelLog): string | undefined {
  try {
    return log.next();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') return undefined;
    if (PASSED_OVER.has(code)) return '';
    throw error;
  }
}

/** From the oldest record that the kernel still has: a container may have ended while no agent ran. */
export function openKernelLog(path = '/dev/kmsg'): KernelLog {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(LENGTH_MAX);
  return {
    next: () => {
      const length = readSync(file, buffer, 0, buffer.length, null);
      return length === 0 ? undefined : buffer.toString('utf8', 0, length);
    },
    close: () => closeSync(file),
  };
}
