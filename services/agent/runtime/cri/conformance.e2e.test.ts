/** The conformance suite against a real containerd. The file starts itself again in a network namespace of its own. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../../platform/clock.js';
import { buildImage } from '../../../../platform/images/build-image.js';
import { buildBusyboxImage, buildPauseImage } from '../../../../platform/images/busybox.js';
import { missingForContainerd, startContainerd } from '../../../../testing/containerd.js';
import { isInNetns, runInNetns } from '../../../../testing/netns.js';
import { runtimeConformance } from '../conformance/index.js';
import type { RuntimeTarget } from '../conformance/index.js';
import { CriRuntime } from './cri-runtime.js';

const missing = missingForContainerd('Runtime conformance with containerd');
const IMAGE = 'example.test/busybox:1';
const SPARE = 'example.test/spare:1';
const PAUSE = 'example.test/pause:1';

async function openContainerd(): Promise<RuntimeTarget> {
  const directory = mkdtempSync(join(tmpdir(), 'navarch-conformance-'));
  const images = [
    await buildBusyboxImage(IMAGE, join(directory, 'busybox.tar')),
    await buildPauseImage(PAUSE, join(directory, 'pause.tar')),
    await buildImage({
      name: SPARE,
      output: join(directory, 'spare.tar'),
      command: ['/spare'],
      files: { '/spare': { kind: 'file', data: 'spare' } },
    }),
  ];
  const containerd = await startContainerd({
    directory,
    sandboxImage: PAUSE,
    images,
    podCIDR: '198.18.8.0/24',
    clock: systemClock,
  });
  const connect = () => new CriRuntime({ socket: containerd.socket, clock: systemClock });
  const runtime = connect();
  return {
    runtime,
    image: IMAGE,
    spareImage: SPARE,
    missingImage: 'example.test/missing/web:1',
    logRoot: join(directory, 'logs'),
    reportsChanges: false,
    elapse: (duration_ms) => systemClock.sleep(duration_ms),
    reopen: () => Promise.resolve(connect()),
    async close() {
      await runtime.close();
      await containerd.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const outside = () =>
  describe.skipIf(missing.length > 0)('in a network namespace of its own', () => {
    it('containerd conforms', { timeout: 300_000 }, async () => {
      expect(await runInNetns('services/agent/runtime/cri/conformance.e2e.test.ts')).toBe('');
    });
  });

const inside = () =>
  describe('containerd', { timeout: 60_000 }, () => {
    runtimeConformance('containerd', openContainerd);
  });

// The file is run twice: outside it starts itself inside.
if (isInNetns) inside();
else outside();
