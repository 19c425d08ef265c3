/** TEST SUPPORT: commands in running containers, and attaching to them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExecTimeoutError } from '../runtime.js';
import { TestPod, collect, meanwhile, rejection } from './target.js';
import type { RuntimeTarget } from './target.js';

const never = new AbortController().signal;

export function commandsConformance(target: () => RuntimeTarget): void {
  describe('commands', () => {
    let pod: TestPod;
    beforeEach(async () => {
      pod = await TestPod.start(target());
    });
    afterEach(() => pod.remove());
    waitedFor(() => pod);
    streamed(() => pod);
    attached(() => pod);
  });
}

function waitedFor(pod: () => TestPod): void {
  it.each<[string, readonly string[], { readonly exitCode: number; readonly stdout: string }]>([
    ['one that succeeds', ['true'], { exitCode: 0, stdout: '' }],
    ['one that fails', ['false'], { exitCode: 1, stdout: '' }],
    ['its exit code', ['sh', '-c', 'exit 7'], { exitCode: 7, stdout: '' }],
    ['its output', ['echo', 'hello', 'there'], { exitCode: 0, stdout: 'hello there\n' }],
  ])('execSync returns %s', async (_what, command, { exitCode, stdout }) => {
    const result = await pod().runtime.execSync(await pod().serve(), command, 10);
    expect(result.exitCode).toBe(exitCode);
    expect(Buffer.from(result.stdout).toString('utf8')).toBe(stdout);
    expect(result.stderr).toHaveLength(0);
  });

  it('execSync sees the variables of the container', async () => {
    const { stdout } = await pod().runtime.execSync(await pod().serve(), ['env'], 10);
    expect(Buffer.from(stdout).toString('utf8')).toContain('GREETING=hello\n');
  });

  it('execSync rejects with ExecTimeoutError; the container runs on', async () => {
    const id = await pod().serve();
    const late = rejection(pod().runtime.execSync(id, ['sleep', '30'], 1));
    expect(await meanwhile(pod().target, late)).toBeInstanceOf(ExecTimeoutError);
    expect(await pod().container(id)).toMatchObject({ phase: 'running' });
  });

  it('a container that does not run takes no command', async () => {
    const created = await pod().create(['true']);
    const { id: exited } = await pod().ended(await pod().run(['true'], { name: 'task' }));
    for (const id of [created, exited]) {
      await rejection(pod().runtime.execSync(id, ['true'], 10));
      await rejection(pod().runtime.openExec(id, pod().execRequest(['true']), never));
      await rejection(pod().runtime.openExec(id, pod().execRequest([], { kind: 'attach' }), never));
    }
  });
}

function streamed(pod: () => TestPod): void {
  const open = async (command: readonly string[], stdin = false, signal = never) =>
    pod().runtime.openExec(await pod().serve(), pod().execRequest(command, { stdin }), signal);

  it('output comes before the exit code, which is the last frame', async () => {
    const result = await collect(await open(['echo', 'hello']));
    expect(result).toMatchObject({ stdout: 'hello\n', stderr: '', exitCode: 0 });
    expect(result.kinds.at(-1)).toBe('exit');
    expect(result.kinds.filter((kind) => kind === 'exit')).toHaveLength(1);
  });

  it.each([
    [1, ['false']],
    [7, ['sh', '-c', 'exit 7']],
  ])('the exit code %i is reported', async (exitCode, command) => {
    expect(await collect(await open(command))).toMatchObject({ exitCode, stdout: '' });
  });

  it('a command that is not there is no success, and nothing of it is standard output', async () => {
    const run = open(['/no/such/command']).then((stream) => collect(stream));
    const result = await run.catch((error: unknown) => error);
    if (result instanceof Error) expect(result.message).not.toBe('');
    else expect(result).toMatchObject({ stdout: '', exitCode: expect.not.toBeOneOf([0, undefined]) as number });
  });

  it('input reaches the command; the end of input ends it', async () => {
    const stream = await open(['cat'], true);
    const inputs = [Buffer.from('one\n'), Buffer.from('two\n')].map((data) => ({ kind: 'stdin', data }) as const);
    expect(await collect(stream, [...inputs, { kind: 'stdin-end' }])).toMatchObject({
      stdout: 'one\ntwo\n',
      exitCode: 0,
    });
  });

  it.each(['close', 'abort'])('nothing is delivered after %s, and nothing can be written', async (how) => {
    const abort = new AbortController();
    const stream = await open(['cat'], true, abort.signal);
    if (how === 'abort') abort.abort();
    else stream.close();
    expect(await collect(stream)).toMatchObject({ stdout: '', exitCode: undefined });
    await rejection(stream.write({ kind: 'stdin', data: Buffer.from('late') }));
  });

  it('a signal that is aborted already opens nothing', async () => {
    const opened = await open(['cat'], true, AbortSignal.abort()).then(
      (stream) => collect(stream),
      () => undefined,
    );
    if (opened !== undefined) expect(opened).toMatchObject({ stdout: '', exitCode: undefined });
  });
}

function attached(pod: () => TestPod): void {
  it('attach lasts until the container ends, and ends with an exit frame', async () => {
    const id = await pod().serve();
    const stream = await pod().runtime.openExec(id, pod().execRequest([], { kind: 'attach' }), never);
    const all = collect(stream);
    await meanwhile(pod().target, pod().runtime.stopContainer(id, 1));
    expect((await meanwhile(pod().target, all)).kinds.at(-1)).toBe('exit');
  });
}
