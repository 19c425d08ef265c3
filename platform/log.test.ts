import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createLogger } from './log.js';

it('a log file is for its owner alone (issue 6, row 8)', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'log-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'logs', 'supervisor.log');
  createLogger('supervisor', { file }).info({}, 'started');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});
