/** Who calls whom: the first thing on each stream, in both directions, and the answer to one who is not let in. */
import { Metadata } from '@grpc/grpc-js';
import { RaftError } from '../contract.js';
import type { NodeId } from '../contract.js';

const CLUSTER = 'navarch-cluster';
const MEMBER = 'navarch-member';
const TARGET = 'navarch-target';
const INSTANCE = 'navarch-instance';
const TARGET_INSTANCE = 'navarch-target-instance';
const POSITION = 'navarch-position';
const REFUSAL = 'navarch-refusal';

/** How far a member's durable log reaches. */
export interface Position {
  readonly term: number;
  readonly index: number;
}

export interface Greeting {
  readonly clusterId: string;
  readonly member: NodeId;
  readonly target: NodeId;
  /** The speaker's data directory; undefined: it has none to show (a cluster without disks). */
  readonly instance: string | undefined;
  /** The data directory that the membership records for whom is spoken to. */
  readonly targetInstance: string | undefined;
  /** Of the speaker, when the stream was opened. */
  readonly position: Position | undefined;
}

export function writeGreeting(greeting: Greeting): Metadata {
  const { clusterId, member, target, instance, targetInstance, position } = greeting;
  const metadata = new Metadata();
  metadata.set(CLUSTER, clusterId);
  metadata.set(MEMBER, String(member));
  metadata.set(TARGET, String(target));
  if (instance !== undefined) metadata.set(INSTANCE, instance);
  if (targetInstance !== undefined) metadata.set(TARGET_INSTANCE, targetInstance);
  if (position !== undefined) metadata.set(POSITION, `${position.term}/${position.index}`);
  return metadata;
}

const INSTANCE_LENGTH_MAX = 64;

/** Numbers that are none come out as NaN: nobody's id. */
export function readGreeting(metadata: Metadata): Greeting {
  const text = (key: string) => metadata.get(key)[0]?.toString();
  const instance = (key: string) => text(key)?.slice(0, INSTANCE_LENGTH_MAX);
  const [term, index] = (text(POSITION) ?? '').split('/').map(Number);
  const isPosition = Number.isSafeInteger(term) && Number.isSafeInteger(index);
  return {
    clusterId: text(CLUSTER) ?? '',
    member: Number(text(MEMBER)) as NodeId,
    target: Number(text(TARGET)) as NodeId,
    instance: instance(INSTANCE),
    targetInstance: instance(TARGET_INSTANCE),
    position: isPosition ? { term: term as number, index: index as number } : undefined,
  };
}

export type RefusalCode = 'wrong-cluster' | 'wrong-member' | 'removed' | 'fenced';

export interface Refusal {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  /** For the operators of both sides: what is wrong and what to do. */
  readonly reason: string;
}

export function refusalMetadata(refusal: Refusal): Metadata {
  const metadata = new Metadata();
  metadata.set(REFUSAL, refusal.code);
  return metadata;
}

/** Set when a peer says that this member is not to take part any more. */
export function finalRefusal(metadata: Metadata | undefined, details: string): RaftError | undefined {
  const code = metadata?.get(REFUSAL)[0];
  return code === 'removed' || code === 'fenced' ? new RaftError(code, details) : undefined;
}
