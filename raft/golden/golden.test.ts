/** Golden traces: our own scripts, and the ones from beside the project where they are at hand. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findScripts, runScript } from './golden.js';

const OWN = fileURLToPath(new URL('scripts', import.meta.url));
const SHARED = fileURLToPath(new URL('../../../shared/data/raft-golden', import.meta.url));

describe('own scripts', () => {
  it.each(findScripts(OWN))('%s', (file) => expect(runScript(file)).toBeUndefined());
});

describe.skipIf(!existsSync(SHARED))('shared scripts (skipped where ../shared/data/raft-golden is absent)', () => {
  it.each(existsSync(SHARED) ? findScripts(SHARED) : [])('%s', (file) => expect(runScript(file)).toBeUndefined());
});
