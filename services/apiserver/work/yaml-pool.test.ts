import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../../platform/clock.js';
import { YamlPool } from './yaml-pool.js';

const built = new URL('../../../dist/services/apiserver/work/yaml-thread.js', import.meta.url);
const isBuilt = existsSync(built);
if (!isBuilt) process.stderr.write('yaml-pool: the thread is not tested, it is not built: run `npm run build`\n');
const large = (lines: number) => Buffer.from(Array.from({ length: lines }, (_, i) => `key${i}: "value"`).join('\n'));

describe.each(
  [['on a thread', built] as const, ['here', undefined] as const].filter(([, url]) => url === undefined || isBuilt),
)('YAML %s', (_name, url) => {
  it('is read, refused and written alike', async () => {
    const pool = new YamlPool(systemClock, url);
    const read = await Promise.all([
      pool.read(large(2000)),
      pool.read(Buffer.from('a: 1\na: 2')),
      pool.read(large(1000)),
    ]);
    expect(read.map(({ value }) => Object.keys(value as object).length)).toEqual([2000, 1, 1000]);
    expect(read[1]?.duplicates).toEqual(['line 2: key "a" already set in map']);
    await expect(pool.read(large(20_000))).rejects.toMatchObject({ code: 413 });
    await expect(pool.read(Buffer.from(`${' '.repeat(8000)}\n[`))).rejects.toMatchObject({ code: 400 });
    const json = Buffer.from(JSON.stringify({ list: Array.from({ length: 1000 }, () => ({ a: 'yes' })) }));
    expect(
      Buffer.from(await pool.write(json))
        .toString()
        .startsWith('list:\n  - a: "yes"\n'),
    ).toBe(true);
    await pool.stop();
  });
});

it.runIf(isBuilt)('what takes too long is refused, and the next body is read by a new thread', async () => {
  const clock = new VirtualClock();
  const pool = new YamlPool(clock, built);
  const slow = pool.read(large(9000)).catch((error: unknown) => error);
  const next = pool.read(large(1000));
  await clock.advance(10_000);
  expect(await slow).toMatchObject({ code: 503 });
  expect(Object.keys((await next).value as object)).toHaveLength(1000);
  await pool.stop();
});
