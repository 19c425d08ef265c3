/** Golden traces: our own scripts always, and those beside the project as well where they are at hand. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findScripts, rewriteScript, runScript } from './golden.js';

const OWN = fileURLToPath(new URL('scripts', import.meta.url));
const SHARED = fileURLToPath(new URL('../../../shared/data/raft-golden', import.meta.url));

describe('own scripts', () => {
  it('prove every part of the core', () => {
    const parts = readdirSync(OWN, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(parts.sort()).toEqual([
      'election',
      'flow',
      'limits',
      'membership',
      'prevote',
      'quorum-check',
      'read',
      'replication',
      'snapshot',
      'storage',
      'transfer',
    ]);
  });

  it.each(findScripts(OWN))('%s', (file) => expect(runScript(file)).toBeUndefined());
});

describe('rewriting a script', () => {
  it('changes outputs alone, and leaves a script that passes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'navarch-golden-'));
    try {
      const [source] = findScripts(join(OWN, 'election'));
      const text = readFileSync(source ?? '', 'utf8');
      const file = join(folder, 'script.txt');
      writeFileSync(file, text.replaceAll('StateLeader', 'StateNobody'));
      expect(runScript(file)?.expected).toContain('StateNobody');
      rewriteScript(file);
      expect(readFileSync(file, 'utf8')).toBe(text);
      expect(runScript(file)).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

// In addition to our own, which need nothing from outside.
if (existsSync(SHARED)) {
  describe('shared scripts (in ../shared/data/raft-golden)', () => {
    it.each(findScripts(SHARED))('%s', (file) => expect(runScript(file)).toBeUndefined());
  });
}
