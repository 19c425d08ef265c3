import { expect, it } from 'vitest';
import type { Lease, Node } from '../../apimachinery/gen/types.js';
import { leases, nodes } from '../../apimachinery/gen/resources.js';
import { systemClock } from '../../platform/clock.js';
import { NodeWriter } from './node-writer.js';
import { testApi } from './test-cluster.js';

/** "NodeLease should have OwnerReferences set" (NodeConformance): a worker's first Lease may come before its Node. */
it('gives the Lease to its Node, also one that was made before there was a Node', async () => {
  const { client } = testApi();
  const writer = new NodeWriter(client, systemClock, { name: 'w1' });
  const owners = async () =>
    (await client.get<Lease>(leases, { namespace: 'kube-node-lease', name: 'w1' })).metadata?.ownerReferences ?? [];
  await writer.renewLease();
  await writer.renewLease();
  expect(await owners()).toEqual([]);
  await writer.writeNode({ labels: {}, status: {} });
  const node = await client.get<Node>(nodes, { name: 'w1' });
  await writer.renewLease();
  const owned = [{ apiVersion: 'v1', kind: 'Node', name: 'w1', uid: node.metadata?.uid }];
  expect(await owners()).toEqual(owned);
  await writer.renewLease();
  expect(await owners()).toEqual(owned);
});
