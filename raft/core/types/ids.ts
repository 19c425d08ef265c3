/** Numbers of nodes, terms and indexes: checked integers. 0 means "none", since real ones start at 1. */

export type NodeId = number;
export type Term = number;
export type LogIndex = number;

/** No node, or no leader. */
export const NONE: NodeId = 0;
/** Addresses of the two local workers that carry out storage writes (asynchronous mode). Never on the wire. */
export const APPEND_THREAD: NodeId = -1;
export const APPLY_THREAD: NodeId = -2;
