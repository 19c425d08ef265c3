// Generates what is built and not committed: proto/gen from proto/, apimachinery/gen from apimachinery/data/.
// Runs again only when an input is newer than its stamp.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const newest = (path) => {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(
    stat.mtimeMs,
    ...readdirSync(path)
      .filter((n) => n !== 'gen')
      .map((n) => newest(join(path, n))),
  );
};

const step = (name, output, inputs, run) => {
  const stamp = join(output, '.stamp');
  const stampTime = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  if (stampTime > Math.max(...inputs.map(newest))) return;
  console.log(`generate: ${name}`);
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  run();
  writeFileSync(stamp, '');
};

step('proto/gen', 'proto/gen', ['proto', 'buf.gen.yaml', 'scripts/generate.mjs'], () => {
  execFileSync('node_modules/.bin/buf', ['generate'], { stdio: 'inherit' });
});

if (existsSync('scripts/generate-types.mjs')) {
  step('apimachinery/gen', 'apimachinery/gen', ['apimachinery/data', 'scripts/generate-types.mjs'], () => {
    execFileSync(process.execPath, ['scripts/generate-types.mjs'], { stdio: 'inherit' });
  });
}
