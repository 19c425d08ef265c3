import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lastWords } from './tail.js';

const directory = mkdtempSync(join(tmpdir(), 'navarch-tail-'));
const path = join(directory, '0.log');
const line = (text: string, tag = 'F') => `2026-01-02T03:04:05.678901234Z stderr ${tag} ${text}`;

afterAll(() => rmSync(directory, { recursive: true }));

describe('the last words of a container', () => {
  it('are its last 80 lines, partial ones joined', async () => {
    const lines = Array.from({ length: 100 }, (_, i) => line(`line ${i}`));
    writeFileSync(path, [...lines, line('half ', 'P'), line('whole'), ''].join('\n'));
    const words = await lastWords(path);
    expect(words.startsWith('line 22\n')).toBe(true);
    expect(words.endsWith('line 99\nhalf whole\n')).toBe(true);
  });

  it('are 2048 bytes at most, and cut between characters', async () => {
    writeFileSync(path, `${line('ü'.repeat(1500))}\n`);
    const words = await lastWords(path);
    expect(Buffer.byteLength(words)).toBeLessThanOrEqual(2048);
    expect(words).toMatch(/^ü+\n$/);
  });

  it('of a log that is larger than what is read: the first line, which lacks its beginning, is left out', async () => {
    writeFileSync(path, `${line('x'.repeat(200_000))}\n${line('the end')}\n`);
    expect(await lastWords(path)).toBe('the end\n');
  });

  it('are none when there is no log', async () => {
    expect(await lastWords(join(directory, 'missing'))).toBe('');
  });
});
