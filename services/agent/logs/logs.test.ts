import { appendFileSync, mkdtempSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { containerSpec, sandboxSpec } from '../runtime/conformance/target.js';
import { FakeRuntime } from '../runtime/fake.js';
import type { ContainerRecord, LogRequest } from '../runtime/runtime.js';
import { parseLogLine } from './cri-log.js';
import { openLogFile } from './open-log.js';
import { rotateLog } from './rotate.js';

let directory = '';
let path = '';
const clock = new VirtualClock(Date.parse('2026-01-01T00:01:00Z'));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-logs-'));
  path = join(directory, '0.log');
});
afterEach(() => rm(directory, { recursive: true }));

const line = (second: number, text: string, stream = 'stdout', tag = 'F') =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.5Z ${stream} ${tag} ${text}\n`;
const read = (options: Partial<LogRequest> = {}, running = false, signal = new AbortController().signal) =>
  openLogFile({
    path,
    signal,
    clock,
    running: () => Promise.resolve(running),
    request: {
      kind: 'log',
      namespace: 'n',
      pod: 'p',
      uid: 'u',
      container: 'c',
      follow: false,
      previous: false,
      timestamps: false,
      ...options,
    },
  });
async function text(options: Partial<LogRequest> = {}): Promise<string> {
  let all = '';
  for await (const frame of await read(options))
    all += frame.kind === 'exit' ? '' : Buffer.from(frame.data).toString('utf8');
  return all;
}

it.each<[string, Partial<LogRequest>, string]>([
  ['all', {}, 'one\ntwo and more\nthree\n'],
  ['the tail', { tailLines: 1 }, 'three\n'],
  ['no tail', { tailLines: 0 }, ''],
  ['a tail longer than the log', { tailLines: 99 }, 'one\ntwo and more\nthree\n'],
  ['with times', { timestamps: true, tailLines: 1 }, '2026-01-01T00:00:40.5Z three\n'],
  ['one stream', { stream: 'Stderr' }, 'three\n'],
  ['since a time', { sinceTime: '2026-01-01T00:00:30Z' }, 'three\n'],
  ['since seconds', { sinceSeconds: 30 }, 'three\n'],
  ['up to a limit', { limitBytes: 5 }, 'one\nt'],
])('reads %s', async (_name, options, expected) => {
  writeFileSync(
    path,
    line(1, 'one') +
      line(20, 'two and ', 'stdout', 'P') +
      line(20, 'more') +
      'torn line\n' +
      line(40, 'three', 'stderr'),
  );
  expect(await text(options)).toBe(expected);
});

it('reads the tail of a log larger than its buffer', async () => {
  writeFileSync(path, Array.from({ length: 20_000 }, (_, i) => line(1, `line ${i}`)).join(''));
  expect((await text({ tailLines: 10_000 })).split('\n')[0]).toBe('line 10000');
});

it('follows what is written, through a rotation, until the container ends', async () => {
  writeFileSync(path, line(1, 'one'));
  let running = true;
  const stream = await openLogFile({
    path,
    clock,
    signal: new AbortController().signal,
    running: () => Promise.resolve(running),
    request: {
      kind: 'log',
      namespace: 'n',
      pod: 'p',
      uid: 'u',
      container: 'c',
      follow: true,
      previous: false,
      timestamps: false,
    },
  });
  const seen: string[] = [];
  const done = (async () => {
    for await (const frame of stream) if (frame.kind !== 'exit') seen.push(Buffer.from(frame.data).toString('utf8'));
  })();
  // The file is real and takes its own time; the clock is not, and moves until what is waited for has happened.
  const until = async (condition: () => boolean) => {
    for (let i = 0; i < 2000 && !condition(); i++) {
      await clock.advance(200);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const saw = (text: string) => () => seen.join('').endsWith(text);
  await until(saw('one\n'));
  appendFileSync(path, line(2, 'two'));
  await until(saw('two\n'));
  renameSync(path, `${path}.1`);
  writeFileSync(path, line(3, 'three'));
  await until(saw('three\n'));
  running = false;
  let isDone = false;
  void done.finally(() => (isDone = true));
  await until(() => isDone);
  await done;
  expect(seen.join('')).toBe('one\ntwo\nthree\n');
});

it('says that there is no log', async () => {
  await expect(read()).rejects.toMatchObject({ code: 404 });
});

it.each(['', 'nonsense', '2026 stdout', '2026-01-01T00:00:00Z stdlog F x'])('takes %j for no line', (bad) => {
  expect(parseLogLine(Buffer.from(bad))).toBeUndefined();
});

it('rotates a log that has grown too large, and keeps a few', async () => {
  const runtime = new FakeRuntime(clock);
  runtime.images.add('web:1');
  const pod = sandboxSpec('web', directory);
  const id = await runtime.createContainer(
    await runtime.runSandbox(pod),
    containerSpec({ uid: pod.uid, image: 'web:1', command: [] }),
  );
  await runtime.startContainer(id);
  const record = { id, logPath: path } as ContainerRecord;
  expect(await rotateLog(runtime, record, 10)).toBe(false);
  for (let i = 0; i < 7; i++) {
    writeFileSync(path, `${i}`.repeat(20));
    expect(await rotateLog(runtime, record, 10)).toBe(true);
  }
  expect(readdirSync(directory).toSorted()).toEqual(['0.log.1', '0.log.2', '0.log.3', '0.log.4']);
  expect(readFileSync(`${path}.1`, 'utf8')[0]).toBe('6');
});
