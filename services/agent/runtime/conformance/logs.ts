/** TEST SUPPORT: logs of containers. A runtime may add lines of its own: most tests compare with the whole log. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestPod, UNKNOWN_ID, collect, isRefused, meanwhile } from './target.js';
import type { RuntimeTarget } from './target.js';
import type { LogRequest } from '../runtime.js';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d) /;
const linesOf = (text: string) => text.split('\n').slice(0, -1);

export function logsConformance(target: () => RuntimeTarget): void {
  describe('logs', () => {
    let pod: TestPod;
    beforeEach(async () => {
      pod = await TestPod.start(target());
    });
    afterEach(() => pod.remove());
    reading(() => pod);
    following(() => pod);
  });
}

function reading(pod: () => TestPod): void {
  const ended = async () => (await pod().ended(await pod().run(['echo', 'hello']))).id;

  it('has what the container wrote, also after its end', async () => {
    expect(linesOf(await pod().log(await ended()))).toContain('hello');
  });

  it('belongs to one run of the container', async () => {
    await ended();
    await pod().ended(await pod().run(['echo', 'again'], { attempt: 1 }));
    const [first, second] = (await pod().runtime.list(pod().spec.uid)).containers.toSorted(
      (a, b) => a.attempt - b.attempt,
    );
    expect(linesOf(await pod().log(first?.id ?? ''))).not.toContain('again');
    expect(linesOf(await pod().log(second?.id ?? ''))).not.toContain('hello');
  });

  it.each<[string, Partial<LogRequest>, (all: string) => string]>([
    ['the last line', { tailLines: 1 }, (all) => `${linesOf(all).at(-1)}\n`],
    ['no line', { tailLines: 0 }, () => ''],
    ['more lines than there are', { tailLines: 1000 }, (all) => all],
    ['the first bytes', { limitBytes: 3 }, (all) => all.slice(0, 3)],
    ['what is newer than its beginning', { sinceSeconds: 3600 }, (all) => all],
    ['what is newer than the future', { sinceTime: '2100-01-01T00:00:00Z' }, () => ''],
    ['standard output', { stream: 'Stdout' }, (all) => all],
    ['standard error', { stream: 'Stderr' }, () => ''],
    ['a tail, cut', { tailLines: 1, limitBytes: 2 }, (all) => `${linesOf(all).at(-1)}`.slice(0, 2)],
  ])('gives %s', async (_what, wish, expected) => {
    const id = await ended();
    expect(await pod().log(id, wish)).toBe(expected(await pod().log(id)));
  });

  it('puts a time before each line', async () => {
    const id = await ended();
    const lines = linesOf(await pod().log(id, { timestamps: true }));
    for (const line of lines) expect(line).toMatch(RFC3339);
    expect(lines.map((line) => line.replace(RFC3339, ''))).toEqual(linesOf(await pod().log(id)));
  });

  it('goes on after its file was rotated', async () => {
    const id = await pod().serve();
    await pod().runtime.reopenLog(id);
    expect(await pod().container(id)).toMatchObject({ phase: 'running' });
  });

  it('of a container that is unknown is refused', async () => {
    const id = await ended();
    const record = await pod().container(id);
    expect(await isRefused(pod().openLog({ ...record, id: UNKNOWN_ID, logPath: '' }))).toBe(true);
  });
}

function following(pod: () => TestPod): void {
  it('follows until the container ends, and then has the whole log', async () => {
    const id = await pod().run(['sh', '-c', 'sleep 1']);
    const stream = await pod().openLog(await pod().container(id), { follow: true });
    const { stdout, exitCode } = await meanwhile(pod().target, collect(stream));
    expect(await pod().container(id)).toMatchObject({ phase: 'exited' });
    expect(stdout).toBe(await pod().log(id));
    expect(exitCode).toBeUndefined();
  });

  it('follows one that has ended: its log, and the end', async () => {
    const { id } = await pod().ended(await pod().run(['echo', 'hello']));
    const stream = await pod().openLog(await pod().container(id), { follow: true });
    expect((await meanwhile(pod().target, collect(stream))).stdout).toBe(await pod().log(id));
  });

  it.each(['close', 'abort'])('%s ends following', async (how) => {
    const abort = new AbortController();
    const id = await pod().serve();
    const stream = await pod().openLog(await pod().container(id), { follow: true, tailLines: 0 }, abort.signal);
    if (how === 'abort') abort.abort();
    else stream.close();
    expect((await meanwhile(pod().target, collect(stream))).stdout).toBe('');
    expect(await pod().container(id)).toMatchObject({ phase: 'running' });
  });

  it('ends following at the limit of bytes', async () => {
    const id = await pod().run(['echo', 'hello'], { lifetime: 'task' });
    const stream = await pod().openLog(await pod().container(id), { follow: true, limitBytes: 4 });
    expect((await meanwhile(pod().target, collect(stream))).stdout).toHaveLength(4);
  });
}
