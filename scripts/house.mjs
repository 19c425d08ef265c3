// `npm run house`: the house in figures. Files and lines of each room, its tests against its code, the longest file and
// function, parameters, cycles, lines over 120 columns, exports and dependencies that nobody uses, tests that a clone
// without ../shared skips, and what the npm package holds.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { importCycles, isTest, sourceFiles, textOf } from './lib/imports.mjs';
import { LIMITS, shapeBreaches } from './lint-shape.mjs';

const COLUMNS = 120;
/** Counted by themselves beside the room they are in. */
const INNER_ROOMS = [
  'raft/core',
  'raft/sim',
  'services/store',
  'services/apiserver',
  'services/controllers',
  'services/scheduler',
  'services/agent',
];

const linesOf = (file) => (textOf(file) ?? '').split('\n').length - 1;
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);
const isProof = (file) => isTest(file) || /(^|\/)(testing|test-|golden\/)/.test(file);

function print(rows) {
  const widths = rows[0].map((_cell, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  const pad = (cell, column) =>
    column === 0 ? String(cell).padEnd(widths[column]) : String(cell).padStart(widths[column]);
  for (const row of rows) console.log(row.map(pad).join('  '));
}

/** Scripts with their traces, which prove the core as its tests do. */
const GOLDEN = 'raft/golden/scripts/';
const PROVEN_BY_SCRIPTS = new Set(['raft', 'raft/core']);
const scriptLines = () =>
  sum(
    readdirSync(GOLDEN, { recursive: true })
      .filter((name) => name.endsWith('.txt'))
      .map((name) => linesOf(GOLDEN + name)),
  );

function rooms(files) {
  const names = [...new Set(files.map((file) => file.split('/')[0])), ...INNER_ROOMS].sort((a, b) => (a < b ? -1 : 1));
  const rows = names.map((room) => {
    const inside = files.filter((file) => file.startsWith(`${room}/`));
    const [code, ownTests] = [inside.filter((file) => !isProof(file)), inside.filter(isProof)].map((group) =>
      sum(group.map(linesOf)),
    );
    const tests = ownTests + (PROVEN_BY_SCRIPTS.has(room) ? scriptLines() : 0);
    return [room, inside.length, code, tests, code === 0 ? '-' : (tests / code).toFixed(2)];
  });
  print([['room', 'files', 'code', 'tests', 'tests/code'], ...rows]);
}

function longest() {
  const files = sourceFiles()
    .filter((file) => !file.includes('/gen/'))
    .map((file) => [linesOf(file), file])
    .sort(([a], [b]) => b - a);
  console.log(
    `\nlongest file: ${files[0][0]} lines, ${files[0][1]}; over ${LIMITS['max-lines']}: ${files.filter(([lines]) => lines > LIMITS['max-lines']).length}`,
  );
  const breaches = shapeBreaches().filter(({ file }) => !isTest(file));
  const long = breaches
    .filter(({ rule }) => rule === 'max-lines-per-function')
    .map(({ message, file, line }) => [Number(/\((\d+)\)/.exec(message)?.[1]), `${file}:${line}`]);
  const [lines, where] = long.sort(([a], [b]) => b - a)[0] ?? [0, 'none over the limit'];
  console.log(
    `longest function outside tests: ${lines} lines, ${where}; over ${LIMITS['max-lines-per-function']}: ${long.length}`,
  );
  console.log(
    `functions outside tests with more than ${LIMITS['max-params']} positional parameters: ${breaches.filter(({ rule }) => rule === 'max-params').length}`,
  );
}

function columns(files) {
  const over = files.map((file) => (textOf(file) ?? '').split('\n').filter((line) => line.length > COLUMNS).length);
  console.log(`lines over ${COLUMNS} columns: ${sum(over)}`);
}

function cycles() {
  const { files, folders } = importCycles();
  console.log(`cycles of imports: ${files.length} between files, ${folders.length} between folders`);
}

function unused() {
  const { stdout } = spawnSync('node_modules/.bin/knip', ['--reporter', 'json', '--no-progress'], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const { issues } = JSON.parse(stdout);
  const count = (key) => sum(issues.map((issue) => issue[key]?.length ?? 0));
  console.log(
    `unused: ${count('files')} files, ${count('exports') + count('types')} exports, ${count('dependencies') + count('devDependencies')} dependencies`,
  );
}

/** Tests that look for files beside the repository and skip themselves without them. */
function withoutShared(files) {
  const asks = (text) => /\bskip(If)?\b/.test(text) && /\.\.\/shared\//.test(text);
  const asking = files.filter((file) => isTest(file) && asks(textOf(file) ?? ''));
  console.log(
    `test files that skip something without ../shared: ${asking.length}${asking.map((file) => `\n  ${file}`).join('')}`,
  );
}

function packed() {
  // As it would be packed: only what is built is there.
  if (!existsSync('dist/cli/main.js')) {
    console.log('npm package: run `npm run build` first');
    return;
  }
  const [{ size, unpackedSize, entryCount, files }] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const stray = files.filter(({ path }) =>
    /\.test\.|(^|\/)e2e\/|tsbuildinfo|^dist\/.+\/testing|\/test-[a-z]/.test(path),
  ).length;
  console.log(
    `npm package: ${entryCount} files, ${(size / 1e6).toFixed(1)} MB packed, ${(unpackedSize / 1e6).toFixed(1)} MB unpacked; tests, e2e and build info among them: ${stray}`,
  );
}

const files = sourceFiles().filter((file) => !file.includes('/gen/'));
rooms(files);
longest();
columns(files);
cycles();
unused();
withoutShared(files);
packed();
