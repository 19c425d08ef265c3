/** TEST SUPPORT: connections to the ports of a pod. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PodStream } from '../../../../apimachinery/pod-streams.js';
import { PORT, TestPod, collect, isRefused, meanwhile, rejection, until } from './target.js';
import type { RuntimeTarget } from './target.js';

const never = new AbortController().signal;

export function portsConformance(target: () => RuntimeTarget): void {
  describe('ports', () => {
    let pod: TestPod;
    beforeEach(async () => {
      pod = await TestPod.start(target());
    });
    afterEach(() => pod.remove());

    /** The server in the pod takes a moment to listen. */
    async function open(signal = never): Promise<PodStream> {
      await pod.run(['nc', '-ll', '-p', String(PORT), '-e', 'cat'], { lifetime: 'service' });
      const sandbox = await pod.sandbox();
      if (sandbox === undefined) throw new Error('the sandbox is not listed');
      return until(pod.target, 'the port to answer', () =>
        pod.runtime.openPort(sandbox, PORT, signal).catch(() => undefined),
      );
    }

    it('carries bytes both ways; the end of input reaches the server', async () => {
      const data = Buffer.alloc(200_000, 'x');
      const { stdout, kinds } = await meanwhile(
        pod.target,
        collect(await open(), [{ kind: 'stdin', data }, { kind: 'stdin-end' }]),
      );
      expect(stdout).toHaveLength(data.length);
      expect(kinds).not.toContain('exit');
    });

    it.each(['close', 'abort'])('nothing is delivered after %s', async (how) => {
      const abort = new AbortController();
      const stream = await open(abort.signal);
      if (how === 'abort') abort.abort();
      else stream.close();
      expect((await collect(stream)).kinds).toEqual([]);
      await rejection(stream.write({ kind: 'stdin', data: Buffer.from('late') }));
    });

    it('of a stopped sandbox is refused', async () => {
      await pod.runtime.stopSandbox(pod.sandboxId);
      const sandbox = await pod.sandbox();
      expect(sandbox).toBeDefined();
      if (sandbox !== undefined) expect(await isRefused(pod.runtime.openPort(sandbox, PORT, never))).toBe(true);
    });
  });
}
