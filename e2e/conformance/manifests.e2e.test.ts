/**
 * Manifests as people write them: every document is accepted by the oldest and the newest kubectl, and applying again
 * changes nothing (kubectl diff finds nothing).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../../testing/index.js';
import type { Cluster } from '../../testing/index.js';
import { Kubectl } from '../lib/kubectl.js';
import { kubectlVersions } from './versions.js';

const folder = new URL('manifests/', import.meta.url);
const versions = kubectlVersions();
if (versions.length === 0) process.stderr.write('manifests: skipped, this machine has no kubectl\n');
const tried = [...new Set([versions.at(0), versions.at(-1)])].flatMap((version) => version ?? []);

/** What has no effect yet says so; nothing else may be complained of. */
const complaintsIn = (stderr: string): string =>
  stderr.replaceAll(/^Warning: .* (stored and has no effect yet: .*|get no external address)\n/gm, '');

let cluster: Cluster | undefined;
beforeAll(async () => {
  if (versions.length > 0) cluster = await startCluster({ nodeGrace_ms: 60_000 });
});
afterAll(() => cluster?.stop());

describe.skipIf(versions.length === 0).each(tried)('kubectl 1.$minor', ({ minor, path }) => {
  it.each(readdirSync(folder))('%s', async (file) => {
    const namespace = `m${minor}-${file.replace('.yaml', '')}`;
    const kubectl = new Kubectl(path, (await cluster?.kubeconfig()) ?? '', ['--namespace', namespace]);
    try {
      await kubectl.ok(['create', 'namespace', namespace]);
      const text = readFileSync(new URL(file, folder), 'utf8').replaceAll('NS', namespace);
      // What generates its name can be created, not applied.
      const [made, applied] = [true, false].map((generates) =>
        text
          .split(/^---$/m)
          .filter((document) => document.includes('generateName') === generates)
          .join('---\n'),
      );
      const run = async (verb: string, stdin = '') => {
        if (stdin.trim() === '') return '';
        const result = await kubectl.run([verb, '-f', '-'], { stdin });
        expect([result.code, complaintsIn(result.stderr)]).toEqual([0, '']);
        return result.stdout;
      };
      await run('create', made);
      expect(await run('apply', applied)).not.toMatch(/unchanged|configured/);
      // Some are patched again each time, here as there (stringData, lists without keys), but none is changed by it:
      // see the diff.
      expect(await run('apply', applied)).not.toMatch(/created/);
      const diff = await kubectl.run(['diff', '-f', '-'], { stdin: applied ?? '' });
      expect([diff.code, diff.stdout, complaintsIn(diff.stderr)]).toEqual([0, '', '']);
      await kubectl.ok(['delete', '--wait=false', '--ignore-not-found', '-f', '-'], { stdin: applied ?? '' });
    } finally {
      await kubectl.close();
    }
  });
});
