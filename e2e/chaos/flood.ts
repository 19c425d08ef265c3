/**
 * A flood of large and broken requests at the gRPC and the REST port of every member, as many as this machine sends, and what it does to
 * the heartbeats: the members' own histograms tell (navarch_raft_heartbeat_interval_seconds on /metrics, taken on the Raft thread).
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync } from 'node:fs';
import { connect as connectHttp2, constants } from 'node:http2';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { systemClock } from '../../platform/clock.js';
import { PutRequest, RangeRequest } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { frame, type ClientTls } from '../bench/grpc-wire.js';
import { until } from '../lib/until.js';
import { ELECTION_MS_MAX, electionsAfter } from './elections.js';
import { Fleet, type Member } from './fleet.js';
import { watchProcessors, withheld_ms } from './withheld.js';

const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_TE, NGHTTP2_CANCEL } = constants;
const MIB = 2 ** 20;
/** Beyond it an attacker lets go, and begins anew. */
const TURN_MS = 5000;
const IDLE_CONNECTIONS = 50;
/** A large put that is in order goes to every disk: not so many that the quota ends the flood. */
const LARGE_PUT_PAUSE_MS = 2000;

interface Target {
  readonly member: Member;
  readonly tls: ClientTls;
}

/** Attempts on one connection, each counted; resolves when that is over, whatever came of them. */
type Attack = (target: Target, count: () => void) => Promise<void>;

/** A connection that neither goes on nor ends is let go. `over` is called once, when it is closed or was let go. */
function bounded(connection: { destroy(): void; on(event: 'close', callback: () => void): unknown }, over: () => void): void {
  const timer = systemClock.after(2 * TURN_MS, () => {
    connection.destroy();
    over();
  });
  connection.on('close', () => {
    timer.cancel();
    over();
  });
}

function socketAttack(open: (target: Target) => Socket, data: () => Uint8Array): Attack {
  return (target, count) => new Promise((resolve) => {
    count();
    const socket = open(target);
    socket.setTimeout(TURN_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    bounded(socket, resolve);
    socket.resume();
    socket.end(data());
  });
}

const tcp = (port: 'grpc' | 'api') => ({ member }: Target) => connectTcp({ host: member.place.host, port: member.place[port] });
const tlsSocket = (port: 'grpc' | 'api', alpn: string, known: boolean) => ({ member, tls }: Target) => connectTls({
  host: member.place.host, port: member.place[port], ca: tls.ca, ALPNProtocols: [alpn], checkServerIdentity: () => undefined, ...(known ? { cert: tls.cert, key: tls.key } : {}),
});
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Calls over one connection, one after the other, until the turn is over or the member has had enough. */
function grpcAttack(path: string, body: () => Buffer, pause_ms = 0): Attack {
  return ({ member, tls }, count) => new Promise((resolve) => {
    const session = connectHttp2(`https://${member.endpoint}`, { ca: tls.ca, cert: tls.cert, key: tls.key });
    const end_ms = systemClock.monotonic() + TURN_MS;
    session.on('error', () => undefined);
    bounded(session, resolve);
    const next = () => {
      if (session.closed || session.destroyed || systemClock.monotonic() > end_ms) {
        session.destroy();
        return;
      }
      count();
      const stream = session.request({
        [HTTP2_HEADER_METHOD]: 'POST', [HTTP2_HEADER_PATH]: path, [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc', [HTTP2_HEADER_TE]: 'trailers',
      });
      stream.on('error', () => undefined);
      stream.on('close', () => void systemClock.sleep(pause_ms).then(next));
      stream.setTimeout(TURN_MS, () => stream.close(NGHTTP2_CANCEL));
      stream.resume();
      stream.end(body());
    };
    session.on('connect', next);
  });
}

/** Streams opened and reset at once (CVE-2023-44487). */
const rapidReset: Attack = ({ member, tls }, count) => new Promise((resolve) => {
  const session = connectHttp2(`https://${member.endpoint}`, { ca: tls.ca, cert: tls.cert, key: tls.key });
  session.on('error', () => undefined);
  bounded(session, resolve);
  session.on('connect', () => void (async () => {
    for (let i = 0; i < 200 && !session.closed && !session.destroyed; i++) {
      for (let burst = 0; burst < 20 && !session.destroyed; burst++) {
        count();
        const stream = session.request({ [HTTP2_HEADER_METHOD]: 'POST', [HTTP2_HEADER_PATH]: '/etcdserverpb.Watch/Watch', [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc' });
        stream.on('error', () => undefined);
        stream.close(NGHTTP2_CANCEL);
      }
      await systemClock.sleep(1);
    }
    session.destroy();
  })());
});

interface RestCall {
  readonly path: string;
  readonly method?: string;
  readonly type?: string;
  readonly body?: () => Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** With the administrator's certificate. */
  readonly known?: boolean;
}

function restAttack({ path, method = 'POST', type = 'application/json', body, headers, known = true }: RestCall): Attack {
  return ({ member, tls }, count) => new Promise((resolve) => {
    count();
    const call = request({
      host: member.place.host, port: member.place.api, path, method, headers: { 'content-type': type, ...headers }, ca: tls.ca, agent: false, timeout: TURN_MS,
      ...(known ? { cert: tls.cert, key: tls.key } : {}),
    }, (response) => {
      response.on('error', () => undefined);
      response.resume();
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => undefined);
    bounded(call, resolve);
    call.end(body?.());
  });
}

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (bytes: number) => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'flood-' }, data: { x: 'x'.repeat(bytes) } });
const put = (bytes: number) => frame(PutRequest.encode(PutRequest.fromPartial({ key: Buffer.from('/flood/large'), value: Buffer.alloc(bytes, 1) })).finish());

const garbage = (bytes: number) => () => randomBytes(bytes);
const tooLargePut = put(8 * MIB);
const largePut = put(MIB);
const wholeRange = frame(RangeRequest.encode(RangeRequest.fromPartial({ key: Buffer.from([0]), rangeEnd: Buffer.from([0]) })).finish());
/** A length that is not there, and a compressed message that is none. */
const brokenFrame = () => Buffer.concat([Buffer.from([randomBytes(1).readUInt8() & 1, 0x7f, 0xff, 0xff, 0xff]), randomBytes(4096)]);
const [largeObject, tooLargeObject] = [configMap(MIB - 200_000), configMap(8 * MIB)];
const nested = '['.repeat(MIB);
const aliases = `a: &a [x,x,x,x,x,x,x,x]\n${Array.from({ length: 20 }, (_, i) => `${'bcdefghijklmnopqrstu'[i] ?? 'z'}: &${'bcdefghijklmnopqrstu'[i] ?? 'z'} [*${'abcdefghijklmnopqrst'[i] ?? 'a'},*${'abcdefghijklmnopqrst'[i] ?? 'a'}]`).join('\n')}\n`;

const ATTACKS: Readonly<Record<string, Attack>> = {
  'grpc: garbage': socketAttack(tcp('grpc'), garbage(65_536)),
  'grpc: TLS and garbage, from strangers': socketAttack(tlsSocket('grpc', 'h2', false), garbage(65_536)),
  'grpc: broken HTTP/2': socketAttack(tlsSocket('grpc', 'h2', true), () => Buffer.concat([PREFACE, randomBytes(65_536)])),
  'grpc: broken messages': grpcAttack('/etcdserverpb.KV/Txn', () => frame(randomBytes(16_384))),
  'grpc: broken frames': grpcAttack('/etcdserverpb.KV/Put', brokenFrame),
  'grpc: unknown methods': grpcAttack('/etcdserverpb.KV/Nothing', () => frame(randomBytes(1024))),
  'grpc: puts too large': grpcAttack('/etcdserverpb.KV/Put', () => tooLargePut),
  'grpc: large puts': grpcAttack('/etcdserverpb.KV/Put', () => largePut, LARGE_PUT_PAUSE_MS),
  'grpc: ranges over everything': grpcAttack('/etcdserverpb.KV/Range', () => wholeRange, 50),
  'grpc: rapid reset': rapidReset,
  'rest: garbage': socketAttack(tcp('api'), garbage(65_536)),
  'rest: TLS and garbage': socketAttack(tlsSocket('api', 'http/1.1', true), garbage(65_536)),
  'rest: objects too large': restAttack({ path: CONFIG_MAPS, body: () => tooLargeObject }),
  'rest: large objects, dry run': restAttack({ path: `${CONFIG_MAPS}?dryRun=All`, body: () => largeObject }),
  'rest: nesting': restAttack({ path: CONFIG_MAPS, body: () => nested }),
  'rest: aliases': restAttack({ path: CONFIG_MAPS, type: 'application/yaml', body: () => aliases }),
  'rest: broken JSON': restAttack({ path: CONFIG_MAPS, body: () => `{"kind":"ConfigMap","data":{${'"a":'.repeat(10_000)}` }),
  'rest: broken protobuf': restAttack({ path: CONFIG_MAPS, type: 'application/vnd.kubernetes.protobuf', body: garbage(65_536) }),
  'rest: strangers': restAttack({ path: CONFIG_MAPS, known: false, headers: { authorization: `Bearer ${'x'.repeat(4000)}` }, body: () => largeObject }),
  'rest: long paths and headers': restAttack({ path: `/api/v1/${'x'.repeat(6000)}`, method: 'GET', headers: { 'x-flood': 'y'.repeat(6000) } }),
};

/** Heartbeats that one member worked on: cumulative counts by upper bound in seconds. */
export interface Heartbeats {
  readonly buckets: ReadonlyMap<number, number>;
  readonly sum_s: number;
  readonly count: number;
}

async function metricsOf({ member, tls }: Target): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host: member.place.host, port: member.place.api, path: '/metrics', ca: tls.ca, cert: tls.cert, key: tls.key, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => resolve(text)).on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}

export async function heartbeatsOf(target: Target): Promise<Heartbeats> {
  const text = await metricsOf(target);
  const name = 'navarch_raft_heartbeat_interval_seconds';
  const buckets = new Map([...text.matchAll(new RegExp(`${name}_bucket\\{le="([^"]+)"\\} (\\d+)`, 'g'))].map(([, le, count]) => [le === '+Inf' ? Infinity : Number(le), Number(count)]));
  if (buckets.size === 0) throw new Error(`${target.member.name} tells nothing of its heartbeats`);
  const field = (suffix: string) => Number(new RegExp(`^${name}_${suffix} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { buckets, sum_s: field('sum'), count: field('count') };
}

export function since(before: Heartbeats, after: Heartbeats): Heartbeats {
  return {
    buckets: new Map([...after.buckets].map(([bound, count]) => [bound, count - (before.buckets.get(bound) ?? 0)])),
    sum_s: after.sum_s - before.sum_s, count: after.count - before.count,
  };
}

const HEARTBEAT_S = 0.05;

/**
 * The smallest bound that no more than one in a hundred heartbeats exceeds. Confirming a read sends further heartbeats, which would make
 * long intervals look rare: so they are set against as many as are due in that time, one every 50 ms.
 */
export function p99_ms({ buckets, sum_s, count }: Heartbeats): number {
  const due = Math.min(count, sum_s / HEARTBEAT_S);
  return 1000 * ([...buckets].find(([, below]) => count - below <= due / 100)?.[0] ?? Infinity);
}

export interface Election {
  readonly term: number;
  /** A leader whose disk did not finish a write gave way. */
  readonly forDisk: boolean;
  /** Before it, for how long the machine had withheld processors from the threads that send and hear heartbeats. Undefined: not known. */
  readonly withheld_ms: number | undefined;
}

/** Half an election timeout. With less withheld, whoever heard no heartbeat in time would not have heard one on a machine of its own either. */
const WITHHELD_MS_MAX = 300;

/** The members had what they need, a disk and processors, and still another one was elected. */
export const isDueToFlood = ({ forDisk, withheld_ms: ms }: Election): boolean => !forDisk && ms !== undefined && ms < WITHHELD_MS_MAX;

export interface FloodResult {
  readonly seconds: number;
  /** Attempts by kind. */
  readonly attempts: ReadonlyMap<string, number>;
  /** While it lasted. */
  readonly elections: readonly Election[];
  /** Of those who followed all the time. */
  readonly followers: readonly { readonly name: string; readonly heartbeats: Heartbeats }[];
}

const termOf = async (fleet: Fleet) => Math.max(...(await Promise.all(fleet.members.map((member) => member.status()))).map((status) => status?.raftTerm ?? 0));

/** A fleet with its data in memory, where there is room for that: a disk that others keep busy is not what the flood is about. */
export function floodFleet(): Promise<Fleet> {
  const memory = '/dev/shm';
  return Fleet.start({ root: mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'navarch-flood-')), isolated: false });
}

/** The same measure with nobody asking anything: what this machine makes of it by itself. */
export async function quiet(fleet: Fleet, seconds: number): Promise<FloodResult['followers']> {
  const tls = fleet.secrets.client;
  const leader = await fleet.leader();
  const followers = fleet.members.filter((member) => member !== leader);
  const before = await Promise.all(followers.map((member) => heartbeatsOf({ member, tls })));
  await systemClock.sleep(1000 * seconds);
  return Promise.all(followers.map(async (member, i) => ({ name: member.name, heartbeats: since(before[i] as Heartbeats, await heartbeatsOf({ member, tls })) })));
}

/** Floods all members for so long, and waits until they answer again. */
export async function flood(fleet: Fleet, seconds: number): Promise<FloodResult> {
  const tls = fleet.secrets.client;
  const targets = fleet.members.map((member) => ({ member, tls }));
  const leader = await fleet.leader();
  const [term, before] = [await termOf(fleet), await Promise.all(targets.map(heartbeatsOf))];
  const logEnds = fleet.members.map((member) => member.logEnd());
  const processors = watchProcessors(fleet.members.map((member) => member.process?.pid ?? 0));
  const end_ms = systemClock.monotonic() + 1000 * seconds;
  const idle = targets.flatMap((target) => Array.from({ length: IDLE_CONNECTIONS }, (_, i) => tcp(i % 2 === 0 ? 'grpc' : 'api')(target).on('error', () => undefined)));
  const attempts = new Map<string, number>();
  await Promise.all(targets.flatMap((target) => Object.entries(ATTACKS).map(async ([name, attack]) => {
    while (systemClock.monotonic() < end_ms) {
      await attack(target, () => void attempts.set(name, (attempts.get(name) ?? 0) + 1));
    }
  })));
  for (const socket of idle) socket.destroy();
  const after = await Promise.all(targets.map(heartbeatsOf));
  await fleet.whole();
  const looks = processors.stop();
  const found = () => electionsAfter(fleet.members.map((member, i) => member.logSince(logEnds[i] ?? 0)), term);
  const newest = await termOf(fleet);
  if (newest > term) await until('the members\' logs to tell of the last election', () => found().some((election) => election.term >= newest));
  const elections = found().map(({ at_ms, ...election }): Election => ({ ...election, withheld_ms: withheld_ms(looks, at_ms - ELECTION_MS_MAX, at_ms) }));
  const followers = targets.flatMap(({ member }, i) => {
    const [first, last] = [before[i], after[i]];
    return member === leader || first === undefined || last === undefined ? [] : [{ name: member.name, heartbeats: since(first, last) }];
  });
  return { seconds, attempts, elections, followers };
}

export function describeHeartbeats(followers: FloodResult['followers']): string {
  const share = ({ buckets, count }: Heartbeats, bound_s: number) => `${count - (buckets.get(bound_s) ?? 0)} above ${bound_s * 1000} ms`;
  return followers.map(({ name, heartbeats }) => `  ${name}: ${heartbeats.count} heartbeat intervals, mean ${((1000 * heartbeats.sum_s) / heartbeats.count).toFixed(1)} ms, p99 at most ${p99_ms(heartbeats)} ms; `
    + `${share(heartbeats, 0.065)}, ${share(heartbeats, 0.1)}, ${share(heartbeats, 0.3)}`).join('\n');
}

export function describeFlood({ seconds, attempts, elections, followers }: FloodResult): string {
  return [
    `${[...attempts.values()].reduce((sum, count) => sum + count, 0)} attempts of ${attempts.size} kinds in ${seconds} s; ${elections.length} elections`,
    ...elections.map(({ term, forDisk, withheld_ms: ms }) => `  term ${term}: ${forDisk ? 'the leader gave way to its disk' : `processors had been withheld from heartbeats for ${ms?.toFixed(0) ?? '?'} ms`}`),
    describeHeartbeats(followers),
    `  ${[...attempts].map(([name, count]) => `${name} ${count}`).join(', ')}`,
  ].join('\n');
}
