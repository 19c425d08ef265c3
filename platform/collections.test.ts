import { expect, it } from 'vitest';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Collections } from './collections.js';

it('counts what collections of garbage take', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const collections = new Collections();
  await collections.start();
  collect();
  await expect.poll(() => collections.total_ms, { timeout: 10_000 }).toBeGreaterThan(0);
  await collections.stop();
});
