import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { FileCheckpoints } from './checkpoints.js';
import type { Pod } from '../pod-spec/types.js';

let directory = '';
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'navarch-checkpoints-')), 'here');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

const open = () => new FileCheckpoints({ directory, clock: new VirtualClock(), logger: silentLogger });
const podOf = (uid: string): Pod => ({
  metadata: { namespace: 'default', name: 'a', uid },
  spec: { containers: [{ name: 'web' }] },
});

describe('checkpoints', () => {
  it('come back as they were, in files for their owner alone', async () => {
    const before = open();
    before.savePod({ pod: podOf('u1'), serviceEnvironment: { A: '1' } });
    before.savePod({ pod: podOf('u2'), serviceEnvironment: {} });
    const settings = { metadata: { namespace: 'default', name: 'settings' }, data: { key: 'value' } };
    before.saveObject({ kind: 'ConfigMap', namespace: 'default', name: 'settings' }, settings);
    before.removePod('u2');
    await before.close();
    expect(await open().load()).toEqual({
      pods: [{ pod: podOf('u1'), serviceEnvironment: { A: '1' } }],
      objects: [{ kind: 'ConfigMap', object: settings }],
    });
    expect(readdirSync(directory).toSorted()).toEqual(['configmap_default_settings.json', 'pod_u1.json']);
    expect(statSync(join(directory, 'pod_u1.json')).mode & 0o777).toBe(0o600);
  });

  it.each(['../u', 'a/b', '', '.'])('take no uid that is not a file name: "%s"', async (uid) => {
    const checkpoints = open();
    checkpoints.savePod({ pod: podOf(uid), serviceEnvironment: {} });
    await checkpoints.close();
    expect(await open().load()).toEqual({ pods: [], objects: [] });
  });

  it('leave out what cannot be read', async () => {
    const before = open();
    before.savePod({ pod: podOf('u1'), serviceEnvironment: {} });
    await before.close();
    writeFileSync(join(directory, 'pod_u3.json'), '{"pod":');
    writeFileSync(join(directory, 'pod_u4.json'), '{"pod":{}}');
    writeFileSync(join(directory, 'pod_u5.json'), 'null');
    expect((await open().load()).pods.map(({ pod }) => pod.metadata?.uid)).toEqual(['u1']);
  });
});
