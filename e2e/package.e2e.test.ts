/**
 * The npm package: packed, unpacked into an empty folder with the dependencies that it declares and no others, imported
 * by each of its entries, and run.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ENTRIES = { sdk: 'connect', testing: 'startCluster', raft: 'startRaftMember', store: 'restoreSnapshot' };

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = createRequire(import.meta.url)('../package.json') as Manifest;
const folder = mkdtempSync(join(tmpdir(), 'navarch-package-'));
const home = join(folder, 'node_modules/navarch');

const run = (command: string, args: readonly string[], cwd = folder): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Paths inside the package. */
function packedFiles(): string[] {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1));
}

beforeAll(() => {
  // What is built is packed as it is: `make test` has just built it.
  const [{ filename }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT),
  ) as [{ filename: string }];
  mkdirSync(home, { recursive: true });
  run('tar', ['-xzf', join(folder, filename), '-C', home, '--strip-components=1']);
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), link);
  }
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "type": "module" }\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('the npm package', () => {
  it('holds no tests, no scenarios and no build info', () => {
    const files = packedFiles();
    expect(
      files.filter((path) => /\.test\.|^dist\/e2e\/|tsbuildinfo|\.map$|^dist\/raft\/(sim|golden)\//.test(path)),
    ).toEqual([]);
    expect(files.filter((path) => !/^(dist|examples)\/|^(LICENSE|README\.md|package\.json)$/.test(path))).toEqual([]);
  });

  it('holds what its entries name', () => {
    const files = packedFiles();
    const named = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? entry : Object.values(entry),
    );
    for (const path of [...named, ...Object.values(manifest.bin)]) expect(files).toContain(path.replace(/^\.\//, ''));
  });

  it.each(Object.entries(ENTRIES))('navarch/%s is imported', (entry, name) => {
    const script = `import * as all from 'navarch/${entry}'; process.stdout.write(typeof all['${name}']);`;
    expect(run(process.execPath, ['--input-type=module', '-e', script])).toBe('function');
  });

  it('has every relative import and every package that its files name', () => {
    const files = new Set(packedFiles());
    const missing: string[] = [];
    for (const file of files) {
      if (!file.endsWith('.js') || !file.startsWith('dist/')) continue;
      const text = readFileSync(join(home, file), 'utf8');
      for (const [, specifier = ''] of text.matchAll(
        /^(?:import|export)\b[^;'"]*?from ['"]([^'"]+)['"]|^import ['"]([^'"]+)['"]/gm,
      )) {
        if (specifier === '' || specifier.startsWith('node:')) continue;
        const name = specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/');
        const isThere = specifier.startsWith('.')
          ? files.has(join(dirname(file), specifier))
          : Object.hasOwn(manifest.dependencies, name);
        if (!isThere) missing.push(`${file}: ${specifier}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('runs', () => {
    expect(run(process.execPath, [join(home, manifest.bin['navarch'] ?? ''), 'version'])).toContain(manifest.version);
  });
});
