import { describe, expect, it } from 'vitest';
import { TestNode, podOf } from './test-node.js';
import type { PodSpec } from '../pod-spec/types.js';

/** Issue 6 row 28: "in-place resize accepted and ignored" (KEP-1287). */
describe('a resize', () => {
  const resized = (
    requests: Record<string, string>,
    limits?: Record<string, string>,
    more: Partial<NonNullable<PodSpec['containers'][0]>> = {},
  ) =>
    podOf({
      containers: [
        { name: 'web', image: 'web:1', resources: { requests, ...(limits === undefined ? {} : { limits }) }, ...more },
      ],
    });
  const updates = (node: TestNode) => node.runtime.calls.filter((call) => call.startsWith('updateResources'));
  const started = async (
    requests: Record<string, string>,
    more: Partial<NonNullable<PodSpec['containers'][0]>> = {},
  ) => {
    const node = new TestNode();
    await node.apply(resized(requests, undefined, more));
    return node;
  };
  const message = (node: TestNode, type: string) =>
    node.status.conditions?.find((condition) => condition.type === type);

  it('is done in place, and shown', async () => {
    const node = await started({ cpu: '100m' });
    await node.apply(resized({ cpu: '500m', memory: '8Mi' }, { cpu: '1', memory: '16Mi' }));
    expect(updates(node)).toEqual(['updateResources web/0 512/100000/16777216']);
    expect(node.state()).toMatchObject({
      resources: { requests: { cpu: '500m' }, limits: { memory: '16Mi' } },
      allocatedResources: { cpu: '500m' },
      restartCount: 0,
    });
    expect(node.status.conditions?.filter(({ type }) => type.startsWith('PodResize'))).toEqual([]);
    expect(node.events.map(({ reason }) => reason)).toContain('ResizeCompleted');
  });

  it('the same amount in other words is none', async () => {
    const node = await started({ cpu: '100m', memory: '1Gi' });
    await node.apply(resized({ cpu: '0.1', memory: '1024Mi' }));
    expect(updates(node)).toEqual([]);
  });

  it('that the node can never hold is Infeasible; the pod goes on as it was, also after a restart of the agent', async () => {
    const node = await started({ cpu: '100m' });
    const wanted = await node.apply(resized({ cpu: '8' }));
    expect(message(node, 'PodResizePending')).toMatchObject({
      status: 'True',
      reason: 'Infeasible',
      message: "Node didn't have enough capacity: cpu, requested: 8000, capacity: 2000",
    });
    expect([updates(node), node.state()?.allocatedResources]).toEqual([[], { cpu: '100m' }]);
    const { status } = node;
    node.restart();
    await node.apply({ ...wanted, status });
    expect([
      updates(node),
      node.starts(),
      message(node, 'PodResizePending')?.reason,
      node.state()?.allocatedResources,
    ]).toEqual([[], ['web/0'], 'Infeasible', { cpu: '100m' }]);
  });

  it('that others leave no room for is Deferred, and done when they go', async () => {
    const node = await started({ cpu: '100m' });
    const other = resized({ cpu: '1500m' });
    await node.apply({ ...other, metadata: { namespace: 'default', name: 'other', uid: 'u2' } });
    await node.apply(resized({ cpu: '1' }));
    expect(node.reported.get('a')?.conditions?.find(({ type }) => type === 'PodResizePending')).toMatchObject({
      reason: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000",
    });
    node.manager.removePod('u2');
    await node.clock.advance(1_000);
    expect(updates(node)).toEqual(['updateResources web/0 1024/0/0']);
    expect(node.reported.get('a')?.conditions?.some(({ type }) => type === 'PodResizePending')).toBe(false);
  });

  it('restarts the container where its policy says so', async () => {
    const policy = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    const node = await started({ cpu: '100m', memory: '8Mi' }, policy);
    await node.apply(resized({ cpu: '200m', memory: '8Mi' }, undefined, policy));
    expect([updates(node).length, node.starts()]).toEqual([1, ['web/0']]);
    await node.apply(resized({ cpu: '200m', memory: '16Mi' }, undefined, policy));
    await node.clock.advance(1_000);
    expect([updates(node).length, node.starts(), node.state()?.resources]).toEqual([
      1,
      ['web/0', 'web/1'],
      { requests: { cpu: '200m', memory: '16Mi' } },
    ]);
  });

  it('that the runtime refuses stays in progress with its words, and is tried again', async () => {
    const node = await started({ cpu: '100m' });
    node.runtime.before = (call) =>
      call.startsWith('updateResources') ? Promise.reject(new Error('device or resource busy')) : Promise.resolve();
    await node.apply(resized({ cpu: '200m' }));
    expect(message(node, 'PodResizeInProgress')).toMatchObject({
      status: 'True',
      reason: 'Error',
      message: 'device or resource busy',
    });
    expect(node.state()).toMatchObject({
      resources: { requests: { cpu: '100m' } },
      allocatedResources: { cpu: '200m' },
    });
    node.runtime.before = () => Promise.resolve();
    await node.clock.advance(11_000);
    expect([message(node, 'PodResizeInProgress'), node.state()?.resources]).toEqual([
      undefined,
      { requests: { cpu: '200m' } },
    ]);
  });
});
