/** Issue 6, row 33: load balancers and etcd's tools ask the client port over HTTP/1.1. */
import { describe, expect, it } from 'vitest';
import type { RaftStatus } from '../../../raft/contract.js';
import type { StoreStatus } from '../store.js';
import { EtcdHttp } from './http.js';
import type { EtcdHttpOptions } from './http.js';

const STATUS = { dbSize_bytes: 100, dbAllocated_bytes: 300, quota_bytes: 1000, alarms: [] } as unknown as StoreStatus;
const RAFT = { role: 'leader', leader: 1, commitIndex: 7, appliedIndex: 6 } as unknown as RaftStatus;

function httpOf(changes: Partial<EtcdHttpOptions> = {}): EtcdHttp {
  return new EtcdHttp({
    status: async () => STATUS,
    raftStatus: async () => RAFT,
    confirm: async () => undefined,
    resident_bytes: () => 12_345,
    authorize: (identity) => identity?.roles.includes('system:monitoring') === true,
    ...changes,
  });
}

const get = (http: EtcdHttp, url: string, roles?: string[]) =>
  http.answer({ method: 'GET', url, identity: roles === undefined ? undefined : { name: 'x', roles } });
const withAlarm = (kind: 'nospace' | 'corrupt') => ({
  status: async () => ({ ...STATUS, alarms: [{ kind, member: 1n }] }) as StoreStatus,
});
const noLeader = {
  raftStatus: async () => ({ ...RAFT, leader: undefined }) as RaftStatus,
  confirm: () => Promise.reject(new Error('etcdserver: no leader')),
};

describe('over HTTP/1.1', () => {
  it.each([
    ['/health', {}, 200, '{"health":"true","reason":""}'],
    ['/health', withAlarm('nospace'), 503, '{"health":"false","reason":"ALARM NOSPACE"}'],
    ['/health?exclude=NOSPACE', withAlarm('nospace'), 200, '{"health":"true","reason":""}'],
    ['/health', noLeader, 503, '{"health":"false","reason":"RAFT NO LEADER"}'],
    ['/health?serializable=true', noLeader, 200, '{"health":"true","reason":""}'],
    [
      '/health',
      { confirm: () => Promise.reject(new Error('timed out')) },
      503,
      '{"health":"false","reason":"RANGE ERROR:timed out"}',
    ],
    ['/version', {}, 200, '{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}'],
    ['/livez', noLeader, 200, 'ok\n'],
    ['/readyz', {}, 200, 'ok\n'],
    ['/readyz?verbose', {}, 200, '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\nok\n'],
    [
      '/readyz',
      noLeader,
      503,
      '[+]data_corruption ok\n[+]serializable_read ok\n[-]linearizable_read failed: etcdserver: no leader\n',
    ],
    ['/readyz/data_corruption', withAlarm('corrupt'), 503, '[-]data_corruption failed: alarm activated: CORRUPT\n'],
    ['/readyz?exclude=linearizable_read', noLeader, 200, 'ok\n'],
    ['/readyz/nonsense', {}, 404, '404 page not found\n'],
    ['/health/x', {}, 404, '404 page not found\n'],
    ['/v2/keys', {}, 404, '404 page not found\n'],
    ['/', {}, 404, '404 page not found\n'],
  ] as const)('%s', async (url, changes, status, body) => {
    expect(await get(httpOf(changes as Partial<EtcdHttpOptions>), url)).toMatchObject({ status, body });
  });

  it('metrics are for those who may ask for the state; other methods than GET are refused', async () => {
    expect((await get(httpOf(), '/metrics')).status).toBe(403);
    const { status, body } = await get(httpOf(), '/metrics', ['system:monitoring']);
    expect(status).toBe(200);
    // What `etcdctl check datascale` looks for.
    expect(body).toMatch(/^process_resident_memory_bytes 12345$/m);
    expect(body).toMatch(/^etcd_mvcc_db_total_size_in_bytes 300$/m);
    expect(body).toMatch(/^etcd_mvcc_db_total_size_in_use_in_bytes 100$/m);
    expect((await httpOf().answer({ method: 'POST', url: '/health', identity: undefined })).status).toBe(405);
  });
});
