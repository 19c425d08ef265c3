/**
 * `make raft-golden DIR=...`: replays every script below the folder; exits 1 if one fails. REWRITE=1 first writes into
 * each script what the core prints today: to begin a script, or to review a change of behaviour as a diff.
 */
import process from 'node:process';
import { findScripts, rewriteScript, runScript } from './golden.js';

const directory = process.argv[2];
if (directory === undefined) {
  process.stderr.write('usage: raft-golden DIRECTORY [--rewrite]\n');
  process.exit(2);
}
let failed = 0;
const scripts = findScripts(directory);
for (const file of scripts) {
  if (process.argv[3] === '--rewrite') rewriteScript(file);
  const mismatch = runScript(file);
  process.stdout.write(`${mismatch === undefined ? 'ok  ' : 'FAIL'} ${file}\n`);
  if (mismatch === undefined) continue;
  failed++;
  process.stdout.write(
    `line ${mismatch.line}: ${mismatch.command}\n--- expected\n${mismatch.expected}\n--- actual\n${mismatch.actual}\n`,
  );
}
process.stdout.write(`${scripts.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 && scripts.length > 0 ? 0 : 1);
