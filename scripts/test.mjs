// `make test`: lint, unit and integration tests, then the scenarios against real processes. Ends with one line,
// `N passed, N failed`, and exits 1 unless nothing failed. `NAVARCH_TEST=unit` or `e2e` runs one part.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const part = process.env.NAVARCH_TEST ?? 'all';
const scratch = mkdtempSync(join(tmpdir(), 'navarch-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };
const STEP_MS_MAX = 40 * 60_000;
/** Said again at the end: the middle of a long output is what gets lost. */
const failures = [];

function step(name, command, args) {
  console.log(`\n== ${name}`);
  const started = performance.now();
  // A part that hangs has failed, and the others still say what they found.
  const { status } = spawnSync(command, args, { stdio: 'inherit', timeout: STEP_MS_MAX, killSignal: 'SIGKILL' });
  console.log(`== ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return status === 0;
}

function check(name, command, args) {
  if (step(name, command, args)) totals.passed++;
  else fail(name);
}

function fail(what, why = '') {
  totals.failed++;
  failures.push(`failed: ${what}${why === '' ? '' : `\n  ${why.replace('Error: STACK_TRACE_ERROR', 'timed out').split('\n').slice(0, 20).join('\n  ').slice(0, 2400)}`}`);
}

function suite(name, config) {
  const report = join(scratch, `${name.replaceAll(/\W+/g, '-')}.json`);
  const ok = step(name, 'node_modules/.bin/vitest', ['run', '--config', config, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]);
  if (!existsSync(report)) {
    fail(`${name}: no report was written`);
    return;
  }
  const { numPassedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  totals.passed += numPassedTests;
  totals.skipped += numPendingTests + numTodoTests;
  const failedBefore = totals.failed;
  for (const file of testResults) {
    const path = relative(process.cwd(), file.name);
    for (const test of file.assertionResults) {
      if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
      if (test.status === 'failed') fail(`${path}: ${test.fullName}`, test.failureMessages.join('\n'));
    }
    // A hook that threw, or a file that could not be loaded.
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) fail(path, file.message);
  }
  if (!ok && totals.failed === failedBefore) fail(`${name}: an error outside any test, above`);
}

try {
  if (part !== 'e2e') {
    check('lint', 'npm', ['run', '--silent', 'lint']);
    suite('unit and integration tests', 'vitest.config.ts');
  }
  if (part !== 'unit') suite('scenarios against real processes', 'vitest.e2e.config.ts');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (totals.skipped > 0) console.log(`\n${totals.skipped} skipped: each says why in its name, or in the line before it`);
if (failures.length > 0) console.log(`\n${failures.join('\n')}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 ? 0 : 1);
