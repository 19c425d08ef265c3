/** `make raft-golden DIR=...`: replays every script below the folder; exits 1 if one fails. */
import process from 'node:process';
import { findScripts, runScript } from './golden.js';

const directory = process.argv[2];
if (directory === undefined) {
  process.stderr.write('usage: raft-golden DIRECTORY\n');
  process.exit(2);
}
let failed = 0;
const scripts = findScripts(directory);
for (const file of scripts) {
  const mismatch = runScript(file);
  process.stdout.write(`${mismatch === undefined ? 'ok  ' : 'FAIL'} ${file}\n`);
  if (mismatch === undefined) continue;
  failed++;
  process.stdout.write(`line ${mismatch.line}: ${mismatch.command}\n--- expected\n${mismatch.expected}\n--- actual\n${mismatch.actual}\n`);
}
process.stdout.write(`${scripts.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 && scripts.length > 0 ? 0 : 1);
