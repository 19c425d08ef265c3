// The shape of the code, checked: length of files (500 lines) and functions (70), at most three positional parameters.
// What broke these limits when they came is on record in scripts/shape-record.json, by rule and file; a record may only
// shrink. `--record` writes the record anew, and refuses to let it grow, unless the record is empty (`{}`): so it is
// made when limits or the format of the code change.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const RECORD = 'scripts/shape-record.json';
export const LIMITS = { 'max-lines': 500, 'max-lines-per-function': 70, 'max-params': 3 };

/** One for each breach: { rule, file, line, message }. */
export function shapeBreaches(limits = LIMITS) {
  const folder = mkdtempSync(join(tmpdir(), 'navarch-shape-'));
  try {
    const config = join(folder, 'oxlint.json');
    const rules = Object.fromEntries(Object.entries(limits).map(([rule, max]) => [rule, ['error', { max }]]));
    const suite = { files: ['**/*.test.ts'], rules: { 'max-lines-per-function': 'off' } };
    writeFileSync(
      config,
      JSON.stringify({
        categories: { correctness: 'off' },
        ignorePatterns: ['dist', '**/gen'],
        rules,
        overrides: [suite],
      }),
    );
    const { stdout } = spawnSync(
      'node_modules/.bin/oxlint',
      ['-c', config, '--disable-nested-config', '-f', 'json', '.'],
      {
        encoding: 'utf8',
        maxBuffer: 256 << 20,
      },
    );
    return JSON.parse(stdout).diagnostics.map(({ code, filename, labels, message }) => ({
      rule: /\((.*)\)/.exec(code)[1],
      file: filename,
      line: labels[0].span.line,
      message,
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `rule` -> `file` -> how many. */
function counted(breaches) {
  const counts = {};
  for (const { rule, file } of breaches) {
    counts[rule] ??= {};
    counts[rule][file] = (counts[rule][file] ?? 0) + 1;
  }
  return counts;
}

const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Lines that say what is wrong. */
function compare(found, record) {
  const wrong = [];
  const counts = counted(found);
  for (const rule of Object.keys(LIMITS)) {
    for (const [file, count] of Object.entries(counts[rule] ?? {})) {
      const allowed = record[rule]?.[file] ?? 0;
      if (count <= allowed) continue;
      const places = found.filter((one) => one.rule === rule && one.file === file);
      wrong.push(
        ...places.map(
          ({ line, message }) =>
            `${file}:${line}: ${message}${allowed === 0 ? '' : ` (${count} here, ${allowed} on record)`}`,
        ),
      );
    }
    for (const [file, allowed] of Object.entries(record[rule] ?? {})) {
      const count = counts[rule]?.[file] ?? 0;
      if (count < allowed)
        wrong.push(
          `${file}: ${count} breaches of ${rule}, ${allowed} on record: run \`node scripts/lint-shape.mjs --record\``,
        );
    }
  }
  return wrong;
}

function main() {
  const found = shapeBreaches();
  const record = JSON.parse(readFileSync(RECORD, 'utf8'));
  const isRecording = process.argv.includes('--record');
  const isEmpty = Object.keys(record).length === 0;
  const wrong =
    isRecording && isEmpty ? [] : compare(found, record).filter((line) => !isRecording || !line.includes('run `node'));
  for (const line of wrong) console.error(line);
  if (wrong.length > 0) process.exit(1);
  if (isRecording) {
    const next = Object.fromEntries(Object.entries(counted(found)).map(([rule, files]) => [rule, sorted(files)]));
    writeFileSync(RECORD, `${JSON.stringify(sorted(next), null, 2)}\n`);
  }
  console.log(`lint-shape: ${found.length} exceptions on record`);
}

if (import.meta.filename === process.argv[1]) main();
