/** Who calls whom: the first thing on each stream, in both directions. */
import { Metadata } from '@grpc/grpc-js';
import type { NodeId } from '../contract.js';

const CLUSTER = 'navarch-cluster';
const MEMBER = 'navarch-member';
const TARGET = 'navarch-target';

export function greeting(clusterId: string, self: NodeId, target: NodeId): Metadata {
  const metadata = new Metadata();
  metadata.set(CLUSTER, clusterId);
  metadata.set(MEMBER, String(self));
  metadata.set(TARGET, String(target));
  return metadata;
}

export function isGreetingOf(metadata: Metadata, clusterId: string, member: NodeId): boolean {
  return metadata.get(CLUSTER)[0] === clusterId && metadata.get(MEMBER)[0] === String(member);
}

export type Caller = { readonly kind: 'member'; readonly id: NodeId } | { readonly kind: 'refused'; readonly reason: string };

export function callerOf(metadata: Metadata, clusterId: string, self: NodeId): Caller {
  const cluster = metadata.get(CLUSTER)[0];
  const id = Number(metadata.get(MEMBER)[0]);
  if (cluster !== clusterId) return { kind: 'refused', reason: `this is cluster ${clusterId}, not ${String(cluster)}` };
  if (metadata.get(TARGET)[0] !== String(self)) return { kind: 'refused', reason: `this is member ${self}` };
  if (!Number.isSafeInteger(id) || id <= 0 || id === self) return { kind: 'refused', reason: `${String(metadata.get(MEMBER)[0])} is no peer's id` };
  return { kind: 'member', id: id as NodeId };
}
