/** Test files that run again in a network namespace of their own: loopback, no route to the outside. Needs root. */
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';

const VARIABLE = 'NAVARCH_E2E_NETNS';

/** Whether this is the run inside. */
export const isInNetns = process.env[VARIABLE] !== undefined;

/** Runs the file, a path in the repository, in a new namespace. Returns its output when it fails, '' when it passes. */
export async function runInNetns(file: string): Promise<string> {
  const netns = `navarch-agent-${process.pid}`;
  execFileSync('ip', ['netns', 'add', netns]);
  try {
    execFileSync('ip', ['-n', netns, 'link', 'set', 'lo', 'up']);
    const vitest = join(process.cwd(), 'node_modules/vitest/vitest.mjs');
    const argv = [`--net=/run/netns/${netns}`, process.execPath, vitest, 'run', '-c', 'vitest.e2e.config.ts', file];
    const env = { ...process.env, [VARIABLE]: netns, NO_COLOR: '1' };
    return await new Promise<string>((resolve) => {
      execFile('nsenter', argv, { env, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
        resolve(error === null ? '' : stdout + stderr),
      );
    });
  } finally {
    execFileSync('ip', ['netns', 'del', netns]);
  }
}
