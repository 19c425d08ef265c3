/** TEST SUPPORT: sandboxes, lists of what there is, and news of changes. */
import { afterEach, describe, expect, it } from 'vitest';
import { TestPod, UNKNOWN_ID, rejection, sandboxSpec, until } from './target.js';
import type { RuntimeTarget } from './target.js';
import type { RuntimeSnapshot } from '../runtime.js';

export function sandboxesConformance(target: () => RuntimeTarget): void {
  describe('sandboxes', () => {
    const pods: TestPod[] = [];
    const start = async (name?: string) => {
      const pod = await TestPod.start(target(), name);
      pods.push(pod);
      return pod;
    };
    afterEach(async () => {
      for (const pod of pods.splice(0)) await pod.remove();
    });
    lifecycle(start);
    listing(target, start);
    changes(target, start);
  });
}

type Start = (name?: string) => Promise<TestPod>;

function lifecycle(start: Start): void {
  it('a sandbox that runs is listed as it was asked for, with an address of its own', async () => {
    const [one, two] = [await start('one'), await start('two')];
    const [first, second] = [await one.sandbox(), await two.sandbox()];
    const { namespace, name, uid, attempt, labels, annotations } = one.spec;
    expect(first).toMatchObject({ id: one.sandboxId, namespace, name, uid, attempt, labels, annotations, ready: true });
    expect(first?.createdAt_ms).toBeGreaterThan(0);
    expect(first?.ips).toHaveLength(1);
    expect(second?.ips).toHaveLength(1);
    expect(first?.ips).not.toEqual(second?.ips);
  });

  it('a stopped sandbox is listed without an address; its containers have ended, and it takes no more', async () => {
    const pod = await start();
    const id = await pod.serve();
    await pod.runtime.stopSandbox(pod.sandboxId);
    expect(await pod.sandbox()).toMatchObject({ ready: false, ips: [] });
    expect(await pod.container(id)).toMatchObject({ phase: 'exited' });
    await rejection(pod.create(['true'], { attempt: 1 }));
  });

  it('a sandbox is removed with its containers, also while it runs', async () => {
    const pod = await start();
    await pod.serve();
    await pod.runtime.removeSandbox(pod.sandboxId);
    expect(await pod.runtime.list(pod.spec.uid)).toEqual({ sandboxes: [], containers: [] });
  });

  it('stopping and removing again, or what is unknown, succeeds', async () => {
    const pod = await start();
    const { runtime, sandboxId } = pod;
    for (const id of [sandboxId, sandboxId, UNKNOWN_ID]) await runtime.stopSandbox(id);
    for (const id of [sandboxId, sandboxId, UNKNOWN_ID]) await runtime.removeSandbox(id);
    await runtime.stopSandbox(sandboxId);
    expect(await pod.sandbox()).toBeUndefined();
  });

  it('a pod may have a new sandbox beside its old one', async () => {
    const pod = await start();
    await pod.runtime.stopSandbox(pod.sandboxId);
    const next = await pod.runtime.runSandbox({ ...pod.spec, attempt: 1 });
    const { sandboxes } = await pod.runtime.list(pod.spec.uid);
    expect(sandboxes.map(({ attempt, ready }) => `${attempt} ${ready}`).toSorted()).toEqual(['0 false', '1 true']);
    await pod.runtime.stopSandbox(next);
    await pod.runtime.removeSandbox(next);
  });
}

function listing(target: () => RuntimeTarget, start: Start): void {
  it('lists all pods, or one; a pod that is unknown has nothing', async () => {
    const [one, two] = [await start('one'), await start('two')];
    const id = await two.serve();
    const all = await one.runtime.list();
    expect(all.sandboxes.map((record) => record.id)).toEqual(expect.arrayContaining([one.sandboxId, two.sandboxId]));
    expect(all.containers.map((record) => record.id)).toContain(id);
    expect(await one.runtime.list(one.spec.uid)).toMatchObject({ sandboxes: [{ id: one.sandboxId }], containers: [] });
    expect(await one.runtime.list('unknown')).toEqual({ sandboxes: [], containers: [] });
  });

  it('a list does not change when the pod does', async () => {
    const pod = await start();
    const before = await pod.runtime.list(pod.spec.uid);
    await pod.runtime.stopSandbox(pod.sandboxId);
    expect(before.sandboxes).toMatchObject([{ ready: true }]);
  });

  it('after a restart of the agent the same is listed', async () => {
    const pod = await start();
    await pod.serve();
    await pod.ended(await pod.run(['sh', '-c', 'exit 7'], { name: 'task' }));
    await pod.create(['true'], { name: 'waits' });
    const again = await target().reopen();
    expect(inOrder(await again.list(pod.spec.uid))).toEqual(inOrder(await pod.runtime.list(pod.spec.uid)));
    if (again !== pod.runtime) await again.close();
  });
}

/** A runtime may list in any order: containerd does. */
function inOrder({ sandboxes, containers }: RuntimeSnapshot): RuntimeSnapshot {
  const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
  return { sandboxes: sandboxes.toSorted(byId), containers: containers.toSorted(byId) };
}

function changes(target: () => RuntimeTarget, start: Start): void {
  it('reports changes with the pod uid, or never', async () => {
    const { runtime, reportsChanges, logRoot } = target();
    const seen: string[] = [];
    const stop = runtime.onChange((uid) => void seen.push(uid));
    const pod = await start();
    const steps: (() => Promise<unknown>)[] = [
      () => pod.ended(id),
      () => runtime.stopSandbox(pod.sandboxId),
      () => runtime.removeContainer(id),
      () => runtime.removeSandbox(pod.sandboxId),
    ];
    const id = await pod.run(['false']);
    for (const step of steps) {
      if (reportsChanges) expect(seen).toContain(pod.spec.uid);
      seen.length = 0;
      await step();
    }
    if (reportsChanges) expect(seen).toContain(pod.spec.uid);
    else expect(seen).toEqual([]);
    stop();
    seen.length = 0;
    const other = await runtime.runSandbox(sandboxSpec('unheard', logRoot));
    await runtime.stopSandbox(other);
    await runtime.removeSandbox(other);
    expect(seen).toEqual([]);
    await until(target(), 'the pod to go', async () => ((await pod.sandbox()) === undefined ? true : undefined));
  });
}
