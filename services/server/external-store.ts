/**
 * The store of a server that holds none: any etcd v3, or members of ours, by the same API. A store belongs to one
 * cluster: the first server that finds it unclaimed writes the cluster's id into it, and a server with other secrets is
 * refused.
 */
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Service } from '../../platform/service.js';
import type { AutoCompactionOptions } from '../store/member/auto-compaction.js';
import { ExternalCompaction } from '../store/external/compaction.js';
import { StoreError } from '../store/store.js';
import type { Store } from '../store/store.js';
import { UserError, EXIT_FENCED } from '../../platform/user-error.js';
import type { ExternalBacking } from './backing.js';

export interface ExternalStoreOptions {
  readonly store: Store;
  /** host:port */
  readonly endpoints: readonly string[];
  readonly clusterId: string;
  /** Absent: whoever runs the store compacts it. */
  readonly compaction?: AutoCompactionOptions;
  /** Keeps the certificate fresh that is shown to the store. */
  readonly credentials?: Service;
  readonly clock: Clock;
  readonly logger: Logger;
}

const OWNER = Buffer.from('/navarch/cluster');
const RETRY_MS = 500;
/** What etcd cannot become by waiting: no use in trying again. */
const FINAL: ReadonlySet<StoreError['code']> = new Set(['invalid', 'unsupported', 'corrupt']);

export function externalStore(options: ExternalStoreOptions): ExternalBacking {
  const { store, endpoints, compaction, credentials, clock } = options;
  const abort = new AbortController();
  const compactor = compaction === undefined ? undefined : new ExternalCompaction({ store, keep: compaction, clock });
  return {
    kind: 'external',
    store,
    endpoints,
    async start() {
      await credentials?.start();
      await claim(options, abort.signal);
      await compactor?.start();
    },
    async stop() {
      abort.abort(new UserError('stopped while it waited for the store'));
      await compactor?.stop();
      await credentials?.stop();
      await store.close();
    },
  };
}

async function claim(
  { store, endpoints, clusterId, clock, logger }: ExternalStoreOptions,
  signal: AbortSignal,
): Promise<void> {
  const value = Buffer.from(clusterId);
  let told = '';
  for (;;) {
    signal.throwIfAborted();
    try {
      const { succeeded, results } = await store.txn(
        {
          compare: [{ target: 'createRevision', key: OWNER, op: '=', value: 0 }],
          success: [{ kind: 'put', key: OWNER, value }],
          failure: [{ kind: 'range', request: { key: OWNER } }],
        },
        { signal },
      );
      const [read] = results;
      const owner =
        succeeded || read?.kind !== 'range' ? clusterId : Buffer.from(read.range.kvs[0]?.value ?? value).toString();
      if (owner === clusterId) return;
      throw new UserError(
        `the store at ${endpoints.join(', ')} belongs to the cluster ${owner}, and the secrets in use to the cluster ${clusterId}; ` +
          'give the right --pki-dir or --store-endpoints',
        EXIT_FENCED,
      );
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (FINAL.has(error.code))
        throw new UserError(
          `the store at ${endpoints.join(', ')} refuses this server: ${error.message}; check --store-ca, --store-cert and --store-key`,
        );
      // Once for each reason: it may take hours.
      if (error.message !== told)
        logger.warn({ store: endpoints, error: error.message }, 'the store cannot be reached; trying again');
      told = error.message;
    }
    await clock.sleep(RETRY_MS, signal);
  }
}
