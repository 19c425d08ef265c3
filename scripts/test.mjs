// `make test`: lint, unit and integration tests, then the scenarios against real processes. Ends with one line,
// `N passed, N failed`, and exits 1 unless nothing failed. A scenario that passes only when it is run once more prints
// `FLAKY`. `NAVARCH_TEST=unit` or `e2e` runs one part.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { runFolderName } from '../dist/testing/leftovers.js';

const part = process.env.NAVARCH_TEST ?? 'all';
// Named so that the next run takes it away if this one is killed.
const scratch = join(tmpdir(), runFolderName());
mkdirSync(scratch, { recursive: true });
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

const said = (how, what, why) =>
  `${how} ${what}${why === '' ? '' : `\n  ${why.replace('Error: STACK_TRACE_ERROR', 'timed out').split('\n').slice(0, 20).join('\n  ').slice(0, 2400)}`}`;

function fail(what, why = '') {
  totals.failed++;
  failures.push(said('failed:', what, why));
}

/** What vitest found; undefined when it wrote no report. `files`: only these. */
function vitest(name, config, files = []) {
  const report = join(scratch, `${name.replaceAll(/\W+/g, '-')}.json`);
  const ok = step(name, 'node_modules/.bin/vitest', [
    'run',
    '--config',
    config,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...files,
  ]);
  return existsSync(report) ? { ok, ...JSON.parse(readFileSync(report, 'utf8')) } : undefined;
}

const hasFailed = (test) => test.status === 'failed';
const pathOf = (file) => relative(process.cwd(), file.name);

function suite(name, config, { secondChance = false } = {}) {
  const found = vitest(name, config);
  if (found === undefined) {
    fail(`${name}: no report was written`);
    return;
  }
  totals.passed += found.numPassedTests;
  totals.skipped += found.numPendingTests + found.numTodoTests;
  const failedBefore = totals.failed;
  let flaky = 0;
  for (const file of found.testResults) {
    for (const test of file.assertionResults)
      if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
    if (file.status !== 'failed' && !file.assertionResults.some(hasFailed)) continue;
    if (secondChance && passesAlone(file, config)) flaky++;
    else failFile(file);
  }
  if (!found.ok && totals.failed === failedBefore && flaky === 0) fail(`${name}: an error outside any test, above`);
}

function failFile(file) {
  const failed = file.assertionResults.filter(hasFailed);
  for (const test of failed) fail(`${pathOf(file)}: ${test.fullName}`, test.failureMessages.join('\n'));
  // A hook that threw, or a file that could not be loaded.
  if (failed.length === 0) fail(pathOf(file), file.message);
}

/** The machine may have kept from a scenario what it needed: once more then, alone. Whoever passes only so is named. */
function passesAlone(file, config) {
  const again = vitest(`${pathOf(file)} once more, alone`, config, [pathOf(file)]);
  if (again?.ok !== true || again.numPassedTests === 0) return false;
  const failed = file.assertionResults.filter(hasFailed);
  totals.passed += failed.length;
  const whys =
    failed.length === 0
      ? [[pathOf(file), file.message]]
      : failed.map((test) => [`${pathOf(file)}: ${test.fullName}`, test.failureMessages.join('\n')]);
  for (const [what, why] of whys) failures.push(said('FLAKY', what, why));
  return true;
}

try {
  if (part !== 'e2e') {
    check('lint', 'npm', ['run', '--silent', 'lint']);
    suite('unit and integration tests', 'vitest.config.ts');
  }
  if (part !== 'unit') suite('scenarios against real processes', 'vitest.e2e.config.ts', { secondChance: true });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (totals.skipped > 0) console.log(`\n${totals.skipped} skipped: each says why in its name, or in the line before it`);
if (failures.length > 0) console.log(`\n${failures.join('\n')}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 ? 0 : 1);
