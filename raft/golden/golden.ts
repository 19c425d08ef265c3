/**
 * Golden replay: scripts of commands against the core, whose full trace is compared. A script's kind is told by its
 * commands.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../platform/random.js';
import { confChangeRunner } from './confchange.js';
import { comparable, parseScript, replaceOutputs } from './datadriven.js';
import type { Directive } from './datadriven.js';
import { interactionRunner } from './interaction.js';
import { runQuorum } from './quorum.js';

export interface Mismatch {
  readonly file: string;
  readonly line: number;
  readonly command: string;
  readonly expected: string;
  readonly actual: string;
}

const QUORUM = new Set(['committed', 'vote']);
const CONF_CHANGE = new Set(['simple', 'enter-joint', 'leave-joint']);

export function findScripts(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.txt'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function runnerFor(directives: readonly Directive[]): (directive: Directive) => string {
  const command = directives[0]?.command ?? '';
  if (QUORUM.has(command)) return runQuorum;
  if (CONF_CHANGE.has(command)) return confChangeRunner();
  const random = seededRandom(1);
  return interactionRunner((bound) => random.int(bound));
}

/** What each directive prints, in order; one that throws is the last. */
function* outputs(directives: readonly Directive[]): Generator<string> {
  const run = runnerFor(directives);
  for (const directive of directives) {
    try {
      yield comparable(run(directive));
    } catch (error) {
      yield `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
      return;
    }
  }
}

/** The first difference, after which the rest would differ too; undefined: the script passes. */
export function runScript(file: string): Mismatch | undefined {
  const directives = parseScript(readFileSync(file, 'utf8'));
  let at = 0;
  for (const actual of outputs(directives)) {
    const { line, command, expected: written } = directives[at++] ?? { line: 0, command: '', expected: '' };
    const expected = comparable(written);
    if (actual !== expected) return { file, line, command, expected, actual };
  }
  return undefined;
}

/** Writes into the script what the core prints today. Each line of the change is then to be reviewed. */
export function rewriteScript(file: string): void {
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, replaceOutputs(text, [...outputs(parseScript(text))]));
}
