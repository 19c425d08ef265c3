import { chmodSync, lstatSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../platform/random.js';
import type { Pod, Volume } from '../pod-spec/types.js';
import { writeAtomically } from './atomic-writer.js';
import { HostVolumes } from './host-volumes.js';
import { tokensOf } from '../../../apimachinery/node-objects/tokens.js';
import { VOLUME_PLUGINS } from './plugins/index.js';
import { configMapPlugin } from './plugins/config-map.js';
import { projectedPlugin } from './plugins/projected.js';
import type { VolumeSources } from './sources.js';

const pod: Pod = {
  metadata: { namespace: 'ns', name: 'a', uid: 'u1', labels: { app: 'web' } },
  spec: { containers: [] },
};
const sources: VolumeSources = {
  configMap: (_ns, name) => (name === 'c' ? { data: { a: '1', b: '2' }, binaryData: { bin: 'AAE=' } } : undefined),
  secret: () => undefined,
  object: () => undefined,
  serviceEnvironment: {},
  podIPs: [],
  hostIP: '',
  nodeName: 'w1',
  allocatable: {},
  token: (need) => (need.audience === '' ? 'a-token' : undefined),
};
const render = ({ configMap, projected }: Omit<Volume, 'name'>) => {
  const files =
    configMap === undefined
      ? projectedPlugin.files(projected ?? {}, pod, sources)
      : configMapPlugin.files(configMap, pod, sources);
  return Object.fromEntries(
    [...files].map(([path, file]) => [path, `${Buffer.from(file.data).toString('latin1')} ${file.mode.toString(8)}`]),
  );
};

describe('what volumes hold', () => {
  it('all keys, or the named ones at their paths', () => {
    expect(render({ configMap: { name: 'c' } })).toEqual({ a: '1 644', b: '2 644', bin: '\0\x01 644' });
    expect(
      render({ configMap: { name: 'c', defaultMode: 0o400, items: [{ key: 'a', path: 'x/y', mode: 0o600 }] } }),
    ).toEqual({ 'x/y': '1 600' });
  });

  it('projected sources together: the volume every pod has', () => {
    const projected: Volume['projected'] = {
      sources: [
        { serviceAccountToken: { path: 'token' } },
        { configMap: { name: 'c', items: [{ key: 'a', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    };
    expect(render({ projected })).toEqual({ token: 'a-token 644', 'ca.crt': '1 644', namespace: 'ns 644' });
    expect(tokensOf({ name: 'v', projected })).toEqual([{ audience: '', expiration_s: 3600 }]);
  });

  it.each(['../x', '/etc/x', 'a/../../x', '..data', ''])('never at %j', (path) => {
    expect(() => render({ configMap: { name: 'c', items: [{ key: 'a', path }] } })).toThrow('invalid path');
  });

  it('nothing that is missing, unless it is optional', () => {
    expect(() => render({ configMap: { name: 'none' } })).toThrow('configmap "none" not found');
    expect(() => render({ configMap: { name: 'c', items: [{ key: 'none', path: 'x' }] } })).toThrow(
      'non-existent config key: none',
    );
    expect(render({ configMap: { name: 'none', optional: true } })).toEqual({});
  });
});

it('a projected source that is not known is refused, not left out', () => {
  expect(() => render({ projected: { sources: [{ clusterTrustBundle: { path: 'ca.crt' } }] } })).toThrow(
    'does not support "clusterTrustBundle"',
  );
  expect(render({ projected: { sources: [{}] } })).toEqual({});
});

it('each type of volume has one plugin', () => {
  const types = VOLUME_PLUGINS.map(({ type }) => type);
  expect(types.toSorted()).toEqual(['configMap', 'downwardAPI', 'emptyDir', 'hostPath', 'projected', 'secret']);
});

describe('on disk', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'navarch-volumes-'));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const files = (entries: Record<string, string>) =>
    new Map(Object.entries(entries).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o640 }]));

  it('changes a whole set of files at once, through one link', async () => {
    const random = seededRandom(1);
    expect(await writeAtomically(directory, files({ a: '1', 'd/b': '2', old: 'x' }), random)).toBe(true);
    const first = readlinkSync(join(directory, '..data'));
    expect(readFileSync(join(directory, 'd/b'), 'utf8')).toBe('2');
    expect(lstatSync(join(directory, 'a')).isSymbolicLink()).toBe(true);
    expect(statSync(join(directory, 'a')).mode & 0o777).toBe(0o640);
    expect(await writeAtomically(directory, files({ a: '1', 'd/b': '2', old: 'x' }), random)).toBe(false);
    expect(await writeAtomically(directory, files({ a: 'new', 'd/b': '2' }), random)).toBe(true);
    expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('new');
    expect(readlinkSync(join(directory, '..data'))).not.toBe(first);
    expect(
      readdirSync(directory)
        .toSorted()
        .filter((name) => !/^\.\.[0-9a-f]{8}-/.test(name)),
    ).toEqual(['..data', 'a', 'd']);
    expect(readdirSync(directory)).toHaveLength(4);
  });

  it('lets no name out of the data directory', async () => {
    const volumes = new HostVolumes({
      dataDir: directory,
      logRoot: join(directory, 'logs'),
      random: seededRandom(1),
      plugins: VOLUME_PLUGINS,
    });
    await expect(volumes.prepare({ ...pod, metadata: { uid: '../../etc' } }, sources)).rejects.toThrow(
      'cannot be used as a file name',
    );
    await expect(volumes.release({ namespace: 'ns', name: 'a', uid: '..' })).rejects.toThrow(
      'cannot be used as a file name',
    );
    await expect(
      volumes.prepare(
        { ...pod, spec: { containers: [], volumes: [{ name: 'h', hostPath: { path: '/tmp/../etc' } }] } },
        sources,
      ),
    ).rejects.toThrow('hostPath');
  });

  it.each<[string, Omit<Volume, 'name'>]>([
    ['nfs', { nfs: { server: 'example.test', path: '/' } }],
    ['persistentVolumeClaim', { persistentVolumeClaim: { claimName: 'c' } }],
    ['tapeDrive', { tapeDrive: {} } as Omit<Volume, 'name'>],
    ['it has no source', {}],
  ])('takes a volume of a type without plugin for nothing else: %s', async (named, volume) => {
    const volumes = new HostVolumes({
      dataDir: directory,
      logRoot: join(directory, 'logs'),
      random: seededRandom(1),
      plugins: VOLUME_PLUGINS,
    });
    const wanted = { ...pod, spec: { containers: [], volumes: [{ name: 'v', ...volume }] } };
    await expect(volumes.prepare(wanted, sources)).rejects.toThrow(
      `volume "v" is of a type this node does not support: ${named}`,
    );
  });

  it('refreshes what is made of objects, and leaves what containers write as it is', async () => {
    const volumes = new HostVolumes({
      dataDir: directory,
      logRoot: join(directory, 'logs'),
      random: seededRandom(1),
      plugins: VOLUME_PLUGINS,
    });
    const wanted = {
      ...pod,
      spec: {
        containers: [],
        volumes: [
          { name: 'e', emptyDir: {} },
          { name: 'c', configMap: { name: 'c' } },
        ],
      },
    };
    const paths = await volumes.prepare(wanted, sources);
    const [empty, map] = [paths.get('e')?.hostPath ?? '', paths.get('c')?.hostPath ?? ''];
    chmodSync(empty, 0o700);
    await volumes.refresh(wanted, { ...sources, configMap: () => ({ data: { a: 'new' } }) });
    expect([readFileSync(join(map, 'a'), 'utf8'), statSync(empty).mode & 0o777]).toEqual(['new', 0o700]);
    // Its source is gone: the last content stays.
    await volumes.refresh(wanted, { ...sources, configMap: () => undefined });
    expect(readFileSync(join(map, 'a'), 'utf8')).toBe('new');
  });

  it('makes emptyDirs and hosts files, and takes all of it away', async () => {
    const volumes = new HostVolumes({
      dataDir: directory,
      logRoot: join(directory, 'logs'),
      random: seededRandom(1),
      plugins: VOLUME_PLUGINS,
    });
    const paths = await volumes.prepare(
      { ...pod, spec: { containers: [], volumes: [{ name: 'e', emptyDir: {} }] } },
      sources,
    );
    expect(statSync(paths.get('e')?.hostPath ?? '').mode & 0o777).toBe(0o777);
    const mounts = await volumes.ownMounts(pod, { name: 'web' }, 0, ['10.1.0.1'], 'a');
    expect(mounts.map((mount) => mount.containerPath)).toEqual(['/dev/termination-log', '/etc/hosts']);
    expect(readFileSync(mounts[1]?.hostPath ?? '', 'utf8')).toContain('10.1.0.1\ta\n');
    expect(await volumes.terminationMessage('u1', 'web', 0)).toBeUndefined();
    expect(await volumes.leftovers()).toEqual(['u1']);
    await volumes.release({ namespace: 'ns', name: 'a', uid: 'u1' });
    expect(await volumes.leftovers()).toEqual([]);
  });
});
