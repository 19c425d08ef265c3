/** Needs the build output. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemExecutor } from '../../platform/exec.js';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');

it.skipIf(!existsSync(MAIN))('ends although a member takes the connection and never says a word', async () => {
  const pkiDir = mkdtempSync(join(tmpdir(), 'navarch-status-'));
  const hung = createServer((socket) => socket.on('error', () => undefined));
  const port = await new Promise<number>((resolve) => {
    hung.listen(0, '127.0.0.1', () => resolve((hung.address() as { port: number }).port));
  });
  try {
    const navarch = (...args: string[]) =>
      systemExecutor.run(process.execPath, [MAIN, ...args], { timeout_ms: 60_000 });
    expect(await navarch('pki', 'init', '--pki-dir', join(pkiDir, 'pki'))).toMatchObject({ code: 0 });
    const { code, stdout } = await navarch(
      'status',
      '--pki-dir',
      join(pkiDir, 'pki'),
      '--endpoints',
      `127.0.0.1:${port}`,
    );
    expect(stdout).toMatch(new RegExp(`127\\.0\\.0\\.1:${port} +unreachable`));
    expect(code).toBe(1);
  } finally {
    hung.close();
    rmSync(pkiDir, { recursive: true, force: true });
  }
});
