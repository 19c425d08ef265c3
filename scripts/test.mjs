// `make test`: lint, unit and integration tests, then the scenarios against real processes. Ends with one line,
// `N passed, N failed`, and exits 1 unless nothing failed. `NAVARCH_TEST=unit` or `e2e` runs one part.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const part = process.env.NAVARCH_TEST ?? 'all';
const scratch = mkdtempSync(join(tmpdir(), 'navarch-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };

function step(name, command, args) {
  console.log(`\n== ${name}`);
  const started = performance.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  console.log(`== ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return status === 0;
}

function check(name, command, args) {
  if (step(name, command, args)) totals.passed++;
  else totals.failed++;
}

function suite(name, config) {
  const report = join(scratch, `${name.replaceAll(/\W+/g, '-')}.json`);
  const ok = step(name, 'node_modules/.bin/vitest', ['run', '--config', config, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]);
  if (!existsSync(report)) {
    totals.failed++;
    return;
  }
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  totals.passed += numPassedTests;
  totals.failed += numFailedTests;
  totals.skipped += numPendingTests + numTodoTests;
  for (const file of testResults) {
    for (const test of file.assertionResults) if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
  }
  // A file that could not be loaded, or an error outside any test.
  if (!ok && numFailedTests === 0) totals.failed++;
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
if (part !== 'unit') console.log('\nnot run here: cli/server/members.e2e.test.ts, e2e/worker.e2e.test.ts (unsettled: they fail now and then; make test-unsettled)');
if (totals.skipped > 0) console.log(`\n${totals.skipped} skipped: each says why in its name, or in the line before it`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 ? 0 : 1);
