/**
 * TEST SUPPORT: what every Runtime must do, whatever runs its containers. Run against each implementation: `hollow` and
 * `fake` in conformance.test.ts, containerd in cri/conformance.e2e.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsConformance } from './commands.js';
import { containersConformance } from './containers.js';
import { imagesConformance } from './images.js';
import { logsConformance } from './logs.js';
import { portsConformance } from './ports.js';
import { sandboxesConformance } from './sandboxes.js';
import type { RuntimeTarget } from './target.js';

export type { RuntimeTarget } from './target.js';

/** `open` is called once: a real runtime takes seconds to start. Each test makes pods of its own. */
export function runtimeConformance(name: string, open: () => Promise<RuntimeTarget>): void {
  describe(`Runtime conformance: ${name}`, () => {
    let opened: RuntimeTarget | undefined;
    const target = (): RuntimeTarget => {
      if (opened === undefined) throw new Error(`the runtime ${name} did not open`);
      return opened;
    };
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened?.close());
    it('reports its version, and that it is ready', async () => {
      const info = await target().runtime.info();
      expect(info).toMatchObject({ ready: true, networkReady: true });
      expect(info.version).toMatch(/^[a-z]+:\/\/\S+$/);
    });
    sandboxesConformance(target);
    containersConformance(target);
    imagesConformance(target);
    commandsConformance(target);
    logsConformance(target);
    portsConformance(target);
  });
}
