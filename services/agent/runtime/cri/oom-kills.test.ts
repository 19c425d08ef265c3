import { describe, expect, it } from 'vitest';
import { OomKills, openKernelLog, parseRecord, victimContainers } from './oom-kills.js';
import type { KernelLog } from './oom-kills.js';

const A = 'a'.repeat(64);
const B = '0123456789abcdef'.repeat(4);
const victim = (
  group: string,
  over: { readonly limit?: string; readonly task?: string; readonly nodes?: string } = {},
) =>
  `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=${over.nodes ?? '(null)'},cpuset=${A},mems_allowed=${over.nodes ?? '0'},${over.limit ?? 'oom_memcg=/navarch'},task_memcg=${group},task=${over.task ?? 'tail'},pid=7,uid=0`;
const record = (text: string, priority = 6, flags = '-') => `${priority},6564,23819553374,${flags};${text}\n`;

/** Gives the records in turn, errors as errors, and then EAGAIN. */
class Records implements KernelLog {
  readonly #records: (string | Error)[];
  closed = false;
  constructor(...records: readonly (string | Error)[]) {
    this.#records = [...records];
  }

  add(...records: readonly (string | Error)[]): void {
    this.#records.push(...records);
  }

  next(): string | undefined {
    const next = this.#records.shift();
    if (next === undefined) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
    if (next instanceof Error) throw next;
    return next;
  }

  close(): void {
    this.closed = true;
  }
}

const failure = (code: string) => Object.assign(new Error(code), { code });

describe('a record of memory that ran out', () => {
  it.each<[string, string, readonly string[]]>([
    [
      'a limit of the container, groups of version 1 and 2',
      victim(`/navarch/burstable/pod1/${A}`, { limit: `oom_memcg=/navarch/burstable/pod1/${A}` }),
      [A],
    ],
    [
      'a limit of the pod: the container of the victim',
      victim(`/navarch/pod1/${B}`, { limit: 'oom_memcg=/navarch/pod1' }),
      [B],
    ],
    ['the whole machine', victim(`/navarch/pod1/${A}`, { limit: 'global_oom' }), [A]],
    ['groups of systemd', victim(`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${A}.scope`), [A]],
    ['a runtime inside of a container', victim(`/navarch/pod1/${A}/docker/${B}`), [A, B]],
    ['several memory nodes', victim(`/navarch/pod1/${A}`, { nodes: '0-1,3' }), [A]],
    ['a command that looks like fields', victim(`/navarch/pod1/${A}`, { task: ',pid=1,uid=2' }), [A]],
    ['a process of no container', victim('/user.slice'), []],
    ['a name that is longer than an id', victim(`/navarch/${A}b`), []],
    ['a group with a comma', victim(`/x,task_memcg=/${A}`, { task: `x,task_memcg=/${B}` }), []],
    ['a record without its end', victim(`/navarch/pod1/${A}`).replace(/,pid.*/, ''), []],
    ['another record that names one', `x ${victim(`/navarch/${A}`)}`, []],
    ['nothing', '', []],
  ])('%s', (_name, text, ids) => {
    expect(victimContainers(text)).toEqual(ids);
  });

  it("is the kernel's own: what a process writes into the log has a facility", () => {
    expect(parseRecord(record('text'))).toEqual({ isContinuation: false, text: 'text' });
    expect(parseRecord('6,1,2,-,caller=T7;text\n SUBSYSTEM=x\n')).toEqual({ isContinuation: false, text: 'text' });
    expect(parseRecord(record('text', 12))).toBeUndefined();
    expect(parseRecord('nonsense')).toBeUndefined();
  });
});

describe('containers that ran out of memory', () => {
  it('are known as soon as the kernel has written it', () => {
    const log = new Records(record('eth0: up'));
    const kills = new OomKills(() => log);
    expect(kills.has(A)).toBe(false);
    log.add(record(victim(`/navarch/${A}`)), record(victim(`/navarch/${B}`), 14));
    expect([kills.has(A), kills.has(B), kills.has(A)]).toEqual([true, false, true]);
  });

  it('are found in a record that other messages tore', () => {
    const text = victim(`/navarch/${A}`);
    const kills = new OomKills(
      () =>
        new Records(
          record(',pid=1,uid=0', 6, 'c'),
          record(text.slice(0, 50)),
          record('bridge: up'),
          record(text.slice(50, 130), 6, 'c'),
          record(text.slice(130), 6, 'c'),
          record(`,${victim(`/${B}`)}`, 6, 'c'),
        ),
    );
    expect([kills.has(A), kills.has(B)]).toEqual([true, false]);
  });

  it('are found after records that were overwritten or are too long', () => {
    const kills = new OomKills(() => new Records(failure('EPIPE'), failure('EINVAL'), record(victim(`/navarch/${A}`))));
    expect(kills.has(A)).toBe(true);
  });

  it('are not known without a log that may be read, and nothing is thrown', () => {
    const log = new Records(record(victim(`/navarch/${A}`)), failure('EIO'), record(victim(`/navarch/${B}`)));
    const kills = new OomKills(() => log);
    expect([kills.has(A), kills.has(B), log.closed]).toEqual([true, false, true]);
    let opened = 0;
    const none = new OomKills(() => {
      opened++;
      throw failure('EPERM');
    });
    expect([none.has(A), none.has(A), opened]).toEqual([false, false, 1]);
    expect(new OomKills(() => openKernelLog('/nonexistent/kmsg')).has(A)).toBe(false);
    expect(new OomKills(() => openKernelLog('/dev/null')).has(A)).toBe(false);
  });

  it('ends when it is closed', () => {
    const log = new Records(record(victim(`/navarch/${A}`)));
    const kills = new OomKills(() => log);
    kills.close();
    expect([kills.has(A), log.closed]).toEqual([false, false]);
  });
});
