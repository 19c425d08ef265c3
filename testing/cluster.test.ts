import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployments, nodes, pods } from '../apimachinery/gen/resources.js';
import { startCluster, type Cluster } from './index.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ members: 3, nodes: 2 });
});
afterAll(() => cluster.stop());

const until = async (condition: () => Promise<boolean>, timeout_ms = 90_000) => {
  const end = Date.now() + timeout_ms;
  while (!(await condition()) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await condition()).toBe(true);
};

describe('a cluster inside a test', () => {
  it('has its nodes ready with subnets', async () => {
    const list = (await cluster.client.list(nodes)).items;
    expect(list.map((node) => node.metadata?.name)).toEqual(['w1', 'w2']);
    await until(async () =>
      (await cluster.client.list(nodes)).items.every(
        (node) => node.spec?.podCIDR !== undefined && (node.spec.taints ?? []).length === 0,
      ),
    );
  });

  it('runs a deployment', async () => {
    await cluster.client.create(deployments, {
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'web:1' }] } },
      },
    });
    await until(
      async () =>
        (await cluster.client.get(deployments, { namespace: 'default', name: 'web' })).status?.availableReplicas === 3,
    );
    const placed = (await cluster.client.list(pods, { namespace: 'default' })).items.map((pod) => pod.spec?.nodeName);
    expect(new Set(placed)).toEqual(new Set(['w1', 'w2']));
  });
});
