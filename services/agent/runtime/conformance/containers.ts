/** TEST SUPPORT: the life of a container: created, running, exited, gone. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestPod, UNKNOWN_ID, containerSpec, meanwhile, rejection } from './target.js';
import type { RuntimeTarget } from './target.js';

export function containersConformance(target: () => RuntimeTarget): void {
  describe('containers', () => {
    let pod: TestPod;
    beforeEach(async () => {
      pod = await TestPod.start(target());
    });
    afterEach(() => pod.remove());
    creation(() => pod);
    ends(() => pod);
    unknownIds(() => pod);
  });
}

function creation(pod: () => TestPod): void {
  it('a container that was created is listed as it was asked for, and has no times', async () => {
    const id = await pod().create(['true'], { name: 'web', attempt: 3 });
    const record = await pod().container(id);
    const { labels, annotations } = containerSpec(
      { uid: pod().spec.uid, image: pod().target.image, command: ['true'] },
      { name: 'web' },
    );
    expect(record).toMatchObject({
      id,
      sandboxId: pod().sandboxId,
      podUid: pod().spec.uid,
      name: 'web',
      attempt: 3,
      phase: 'created',
      startedAt_ms: 0,
      finishedAt_ms: 0,
      image: pod().target.image,
      labels,
      annotations,
    });
    expect(record.imageId).not.toBe('');
    expect(record.createdAt_ms).toBeGreaterThan(0);
  });

  it('an image that is absent makes no container', async () => {
    await rejection(pod().create(['true'], { image: pod().target.missingImage }));
    expect((await pod().runtime.list(pod().spec.uid)).containers).toEqual([]);
  });

  it('a container that was started runs, and cannot be started again', async () => {
    const id = await pod().serve();
    const record = await pod().container(id);
    expect(record).toMatchObject({ phase: 'running', finishedAt_ms: 0 });
    expect(record.startedAt_ms).toBeGreaterThanOrEqual(record.createdAt_ms);
    await rejection(pod().runtime.startContainer(id));
    expect(await pod().container(id)).toEqual(record);
  });

  it('containers of one pod run beside each other; attempts of one name follow each other', async () => {
    await pod().serve({ name: 'one' });
    await pod().serve({ name: 'two' });
    await pod().ended(await pod().run(['false'], { name: 'three' }));
    await pod().serve({ name: 'three', attempt: 1 });
    const { containers } = await pod().runtime.list(pod().spec.uid);
    expect(containers.map(({ name, attempt, phase }) => `${name}/${attempt} ${phase}`).toSorted()).toEqual([
      'one/0 running',
      'three/0 exited',
      'three/1 running',
      'two/0 running',
    ]);
  });

  it('takes other resources while it runs', async () => {
    const id = await pod().serve();
    await pod().runtime.updateResources(id, {
      cpuShares: 512,
      cpuQuota_us: 50_000,
      memoryLimit_bytes: 64 << 20,
      oomScoreAdj: 0,
    });
    expect(await pod().container(id)).toMatchObject({ phase: 'running' });
  });
}

function ends(pod: () => TestPod): void {
  it.each<[number, string, readonly string[]]>([
    [0, 'Completed', ['true']],
    [1, 'Error', ['false']],
    [7, 'Error', ['sh', '-c', 'exit 7']],
  ])('a process that exits with %i leaves its code and the reason %s', async (exitCode, reason, command) => {
    const record = await pod().ended(await pod().run(command));
    expect(record).toMatchObject({ exitCode, reason });
    expect(record.finishedAt_ms).toBeGreaterThanOrEqual(record.startedAt_ms);
    await rejection(pod().runtime.startContainer(record.id));
  });

  it('stopping ends it within the grace period; stopping again changes nothing', async () => {
    const id = await pod().serve();
    await meanwhile(
      pod().target,
      Promise.all([pod().runtime.stopContainer(id, 1), pod().runtime.stopContainer(id, 1)]),
    );
    const record = await pod().container(id);
    expect(record).toMatchObject({ phase: 'exited' });
    expect(record.finishedAt_ms).toBeGreaterThanOrEqual(record.startedAt_ms);
    const log = await pod().log(id);
    await pod().runtime.stopContainer(id, 1);
    expect(await pod().container(id)).toEqual(record);
    expect(await pod().log(id)).toBe(log);
  });

  it('stopping one that has ended keeps its exit code', async () => {
    const id = await pod().run(['sh', '-c', 'exit 7']);
    const record = await pod().ended(id);
    await pod().runtime.stopContainer(id, 0);
    expect(await pod().container(id)).toEqual(record);
  });

  it('stopping one that was never started leaves it unstarted', async () => {
    const id = await pod().create(['true']);
    await pod().runtime.stopContainer(id, 0);
    expect(await pod().container(id)).toMatchObject({ phase: 'created', startedAt_ms: 0 });
  });

  it.each(['created', 'running', 'exited'])(
    'one that is %s can be removed, and again; the others stay',
    async (phase) => {
      const other = await pod().serve({ name: 'other' });
      const id =
        phase === 'created'
          ? await pod().create(['true'])
          : phase === 'running'
            ? await pod().serve()
            : await pod().run(['true']);
      if (phase === 'exited') await pod().ended(id);
      await pod().runtime.removeContainer(id);
      await pod().runtime.removeContainer(id);
      expect(await pod().find(id)).toBeUndefined();
      expect(await pod().container(other)).toMatchObject({ phase: 'running' });
    },
  );
}

function unknownIds(pod: () => TestPod): void {
  it('stopping and removing what is unknown succeeds', async () => {
    await pod().runtime.stopContainer(UNKNOWN_ID, 0);
    await pod().runtime.removeContainer(UNKNOWN_ID);
  });

  it('everything else of an unknown container is rejected, not thrown', async () => {
    const { runtime } = pod();
    const { resources } = containerSpec({ uid: '', image: '', command: [] });
    const signal = new AbortController().signal;
    await rejection(runtime.startContainer(UNKNOWN_ID));
    await rejection(runtime.updateResources(UNKNOWN_ID, resources));
    await rejection(runtime.execSync(UNKNOWN_ID, ['true'], 1));
    await rejection(runtime.openExec(UNKNOWN_ID, pod().execRequest(['true']), signal));
    await rejection(runtime.openExec(UNKNOWN_ID, pod().execRequest([], { kind: 'attach' }), signal));
    await rejection(runtime.reopenLog(UNKNOWN_ID));
  });

  it('a container of an unknown sandbox is rejected', async () => {
    const { runtime, spec, target } = pod();
    await rejection(
      runtime.createContainer(
        UNKNOWN_ID,
        containerSpec({ uid: spec.uid, image: target.image, command: ['true'] }),
        spec,
      ),
    );
    expect((await runtime.list(spec.uid)).containers).toEqual([]);
  });
}
