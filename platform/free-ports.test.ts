import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { freePorts } from './free-ports.js';

it('are different, free, and none that a connection may be given', async () => {
  const ports = await freePorts(30);
  expect(new Set(ports).size).toBe(30);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(10_000);
  expect(Math.max(...ports)).toBeLessThan(30_000);
  const [port = 0] = ports;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await new Promise((resolve) => server.close(resolve));
});

/** Two floods side by side took the same ports: each found them free before the other's members listened. */
it.skipIf(process.platform !== 'linux')('are given once, whoever asks, for as long as the asker lives', async () => {
  const range = { low: 10_000, high: 10_200 };
  const given = [...(await freePorts(10, range)), ...(await freePorts(10, range)), ...(await freePorts(10, range))];
  expect(new Set(given).size).toBe(30);
  const [port = 0] = given;
  const other = spawn(process.execPath, [
    '-e',
    `require('net').createServer().on('error', (error) => { console.log(error.code); process.exit(); }).listen('\\0navarch-port-${port}', () => console.log('taken'))`,
  ]);
  const [said] = (await once(other.stdout, 'data')) as [Buffer];
  other.kill('SIGKILL');
  expect(String(said)).toBe('EADDRINUSE\n');
});

it('says when there are not so many', async () => {
  await expect(freePorts(5, { low: 10_300, high: 10_303 })).rejects.toThrow(
    'no 5 ports between 10300 and 10303 are free',
  );
});
