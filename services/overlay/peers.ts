/** Who takes part in the overlay, as far as the Node objects tell. */
import { isIPv4 } from 'node:net';
import type { Node } from '../../apimachinery/gen/types.js';
import { parseCidr } from './address.js';

/** A node whose pods can be reached. All fields have been checked: they go into commands as they are. */
export interface Peer {
  readonly name: string;
  /** Its InternalIP, where tunnelled packets go. */
  readonly address: string;
  /** Its pods, as `10.244.3.0/24`. */
  readonly podCIDR: string;
}

/** Undefined while the node has no subnet or no usable address yet. */
export function peerOf(node: Node): Peer | undefined {
  const name = node.metadata?.name ?? '';
  const podCIDR = [node.spec?.podCIDR ?? '', ...(node.spec?.podCIDRs ?? [])].find(
    (cidr) => parseCidr(cidr) !== undefined,
  );
  const address = node.status?.addresses?.find(
    ({ type, address: text }) => type === 'InternalIP' && isIPv4(text),
  )?.address;
  return name === '' || podCIDR === undefined || address === undefined ? undefined : { name, address, podCIDR };
}

/** What a source of peers tells, in order. Nothing is told twice unless it changed. */
export interface PeerListener {
  upsert(peer: Peer): void;
  remove(name: string): void;
  /** All peers there are now have been told: from here on, what is not known is not there. */
  synced(): void;
}

/** Where the peers are known from: the Node cache of this process, or a member's stream. */
export interface PeerSource {
  /** Tells until the signal aborts, over reconnects; after each, what has gone meanwhile is removed. */
  run(listener: PeerListener, signal: AbortSignal): Promise<void>;
}
