/**
 * What etcd answers over HTTP/1.1 on its client port: health for load balancers, version, and metrics. In: a request's
 * method, path and caller. Out: status and body; no socket, so it is tested without one. Health says no more than
 * whether the member can serve, and is answered to everybody; metrics are for those who may ask for the member's state.
 */
import type { StoreStatus } from '../store.js';
import type { RaftStatus } from '../../../raft/contract.js';
import type { EtcdAuthorizer, EtcdIdentity } from './authorize.js';
import { ETCD_VERSION } from './maintenance.js';

export interface EtcdHttpOptions {
  readonly status: () => Promise<StoreStatus>;
  readonly raftStatus: () => Promise<RaftStatus>;
  /** A linearizable read. */
  readonly confirm: () => Promise<unknown>;
  readonly authorize: EtcdAuthorizer;
  readonly resident_bytes: () => number;
  /** More lines of metrics, in their text format. */
  readonly metrics?: () => Promise<string>;
}

export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly identity: EtcdIdentity | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';
const METRICS = 'text/plain; version=0.0.4; charset=utf-8';
const NOT_FOUND: HttpAnswer = { status: 404, type: TEXT, body: '404 page not found\n' };
const NOT_ALLOWED: HttpAnswer = { status: 405, type: TEXT, body: 'Method Not Allowed\n' };

/** Undefined: it holds. Otherwise why it does not. */
type Check = () => Promise<string | undefined>;

export class EtcdHttp {
  readonly #options: EtcdHttpOptions;
  readonly #checks: Readonly<Record<string, Check>>;

  constructor(options: EtcdHttpOptions) {
    this.#options = options;
    this.#checks = {
      data_corruption: async () =>
        (await options.status()).alarms?.some(({ kind }) => kind === 'corrupt') === true
          ? 'alarm activated: CORRUPT'
          : undefined,
      serializable_read: () => reasonOf(options.status()),
      linearizable_read: () => reasonOf(options.confirm()),
    };
  }

  async answer({ method, url, identity }: HttpRequest): Promise<HttpAnswer> {
    const { pathname, searchParams } = new URL(url, 'http://member');
    const [, root = '', check, ...rest] = pathname.split('/');
    const isProbe = root === 'livez' || root === 'readyz';
    if (rest.length > 0 || (check !== undefined && !isProbe)) return NOT_FOUND;
    if (!isProbe && root !== 'health' && root !== 'version' && root !== 'metrics') return NOT_FOUND;
    if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED;
    switch (root) {
      case 'health':
        return this.#health(searchParams);
      case 'version':
        return {
          status: 200,
          type: 'application/json',
          body: JSON.stringify({ etcdserver: ETCD_VERSION, etcdcluster: ETCD_VERSION.replace(/\d+$/, '0') }),
        };
      case 'metrics':
        return this.#metrics(identity);
      default:
        return this.#probe(root === 'livez' ? ['serializable_read'] : Object.keys(this.#checks), check, searchParams);
    }
  }

  /** Alarms may be left out by `exclude`; `serializable` does not ask the others. */
  async #health(query: URLSearchParams): Promise<HttpAnswer> {
    const excluded = new Set(query.getAll('exclude'));
    const reason = await this.#unhealthy(excluded, query.get('serializable') === 'true');
    const body = JSON.stringify(reason === undefined ? { health: 'true', reason: '' } : { health: 'false', reason });
    return { status: reason === undefined ? 200 : 503, type: 'application/json', body };
  }

  async #unhealthy(excluded: ReadonlySet<string>, isSerializable: boolean): Promise<string | undefined> {
    const { status, raftStatus, confirm } = this.#options;
    try {
      const { alarms = [] } = await status();
      const raised = alarms
        .map(({ kind }) => (kind === 'corrupt' ? 'CORRUPT' : 'NOSPACE'))
        .find((name) => !excluded.has(name));
      if (raised !== undefined) return `ALARM ${raised}`;
      if ((await raftStatus()).leader === undefined && !isSerializable) return 'RAFT NO LEADER';
    } catch (error) {
      return `RANGE ERROR:${(error as Error).message}`;
    }
    const reason = isSerializable ? undefined : await reasonOf(confirm());
    return reason === undefined ? undefined : `RANGE ERROR:${reason}`;
  }

  async #probe(names: readonly string[], only: string | undefined, query: URLSearchParams): Promise<HttpAnswer> {
    const excluded = new Set(query.getAll('exclude'));
    const wanted =
      only === undefined || only === ''
        ? names.filter((name) => !excluded.has(name))
        : names.filter((name) => name === only);
    if (wanted.length === 0 && only !== undefined && only !== '') return NOT_FOUND;
    const found = await Promise.all(
      wanted.map(async (name) => ({
        name,
        reason: await this.#checks[name]?.().catch((error: unknown) => (error as Error).message),
      })),
    );
    const lines = found
      .map(({ name, reason }) => (reason === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${reason}\n`))
      .join('');
    if (found.some(({ reason }) => reason !== undefined)) return { status: 503, type: TEXT, body: lines };
    return { status: 200, type: TEXT, body: query.has('verbose') ? `${lines}ok\n` : 'ok\n' };
  }

  async #metrics(identity: EtcdIdentity | undefined): Promise<HttpAnswer> {
    const { authorize, status, raftStatus, resident_bytes, metrics } = this.#options;
    if (!authorize(identity, { kind: 'status' }))
      return {
        status: 403,
        type: TEXT,
        body: 'metrics are for certificates of the groups system:monitoring and system:masters\n',
      };
    const [store, raft] = await Promise.all([status(), raftStatus()]);
    const lines = [
      ...gauge(
        'etcd_server_has_leader',
        'Whether or not a leader exists. 1 is existence, 0 is not.',
        raft.leader === undefined ? 0 : 1,
      ),
      ...gauge(
        'etcd_server_is_leader',
        'Whether or not this member is a leader. 1 if is, 0 otherwise.',
        raft.role === 'leader' ? 1 : 0,
      ),
      ...gauge(
        'etcd_server_is_learner',
        'Whether or not this member is a learner. 1 if is, 0 otherwise.',
        raft.role === 'learner' ? 1 : 0,
      ),
      ...gauge('etcd_server_proposals_committed_total', 'Entries known to be committed.', raft.commitIndex),
      ...gauge('etcd_server_proposals_applied_total', 'Entries applied.', raft.appliedIndex),
      ...gauge('etcd_server_quota_backend_bytes', 'Size at which the store takes no more.', store.quota_bytes ?? 0),
      ...gauge(
        'etcd_mvcc_db_total_size_in_bytes',
        'Bytes that the store takes on disk.',
        store.dbAllocated_bytes ?? store.dbSize_bytes,
      ),
      ...gauge('etcd_mvcc_db_total_size_in_use_in_bytes', 'Bytes of all versions that are kept.', store.dbSize_bytes),
      ...gauge('process_resident_memory_bytes', 'Resident memory of the process.', resident_bytes()),
      '',
    ];
    return { status: 200, type: METRICS, body: lines.join('\n') + ((await metrics?.()) ?? '') };
  }
}

const gauge = (name: string, help: string, value: number): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} gauge`,
  `${name} ${value}`,
];

const reasonOf = (done: Promise<unknown>): Promise<string | undefined> =>
  done.then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
