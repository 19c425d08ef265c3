/** What a server stands on: a member of the replicated store in this process, or a store elsewhere. */
import type { StoreMember } from '../store/member/start.js';
import type { Store } from '../store/store.js';

export interface ExternalBacking {
  readonly kind: 'external';
  readonly store: Store;
  /** host:port */
  readonly endpoints: readonly string[];
  /** Resolves when the store was reached and belongs to this cluster; rejects when it belongs to another. */
  start(): Promise<void>;
  /** Safe at any time: also while `start` waits. */
  stop(): Promise<void>;
}

export type Backing = { readonly kind: 'member'; readonly member: StoreMember } | ExternalBacking;

export const memberOf = (backing: Backing): StoreMember | undefined =>
  backing.kind === 'member' ? backing.member : undefined;
