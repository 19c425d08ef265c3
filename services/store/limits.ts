/** Limits of the store, in one place. */

export const LIMITS = {
  /** Operations of one level of a transaction that any member applies. */
  txnOps: 2048,
  /**
   * Those that a client may send, with those of the levels above, unless the member's options say otherwise; etcd's
   * default.
   */
  clientTxnOps: 128,
  /** Those that it may send in all, guards and nested ones included: they are read in one piece. */
  clientTxnOpsTotal: 8192,
  /** Levels of nested transactions. */
  txnDepth: 16,
  /** One command in the log, unless the member's options say otherwise; etcd's default. */
  request_bytes: 1.5 * 1024 * 1024,
  /** The most that the options may allow: peers take messages of 16 MiB. */
  requestMax_bytes: 10 * 1024 * 1024,
  /** Encoded size of all versions that are kept, unless the member's options say otherwise; etcd's default. */
  quota_bytes: 2 * 1024 * 1024 * 1024,
  diskReserve_bytes: 64 * 1024 * 1024,
  hashCheck_ms: 10 * 60_000,
  /** Longest lease, as in etcd. */
  leaseTtl_s: 9_000_000_000,
  /** Shortest lease: a shorter one could not be renewed across a change of leader. */
  leaseTtlMin_s: 1,
  /** Shortest one that clients of etcd's API are granted, as by etcd. */
  clientLeaseTtlMin_s: 2,
  /** Batches that a watcher may hold unread before it is served from history. */
  watchWindow_batches: 16,
  /** Events of one batch, unless a single revision has more. */
  watchBatch_events: 1000,
  watchBatch_bytes: 1024 * 1024,
  /** Records that are looked at for one batch, matching or not. */
  watchScan_records: 20_000,
  /** Events that an unread watcher may lag behind before it is closed with 'overflow'. */
  watchLag_events: 100_000,
  /** Keys that are visited before others have their turn on the member's thread: a millisecond's work. */
  slice_keys: 500,
  /** Pages of long results that clients have not taken yet; beyond it all reads but the oldest wait. */
  pagesAhead_bytes: 48 * 1024 * 1024,
  /**
   * Beyond them, the answer of a transaction that writes is not kept for its client: it was applied, and its outcome is
   * then unknown there.
   */
  pagesAheadOfWrites_bytes: 128 * 1024 * 1024,
  /** How long a turn of such work takes there. */
  turn_ms: 4,
  /** Values that stay in memory beside those that are not on disk yet. */
  hotValues_bytes: 32 * 1024 * 1024,
} as const;
