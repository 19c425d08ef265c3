/** Attacks with garbage, broken frames and bodies, and requests that are too large. */
import { randomBytes } from 'node:crypto';
import { PutRequest, RangeRequest } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { frame } from '../bench/grpc-wire.js';
import {
  grpcAttack,
  PREFACE,
  rapidReset,
  restAttack,
  socketAttack,
  tcp,
  tlsSocket,
  type Attack,
} from './flood-tools.js';

const MIB = 2 ** 20;
/** A large put that is in order goes to every disk: not so many that the quota ends the flood. */
const LARGE_PUT_PAUSE_MS = 2000;

export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (bytes: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { generateName: 'flood-' },
    data: { x: 'x'.repeat(bytes) },
  });
const put = (bytes: number) =>
  frame(
    PutRequest.encode(
      PutRequest.fromPartial({ key: Buffer.from('/flood/large'), value: Buffer.alloc(bytes, 1) }),
    ).finish(),
  );

const garbage = (bytes: number) => () => randomBytes(bytes);
const tooLargePut = put(8 * MIB);
const largePut = put(MIB);
const wholeRange = frame(
  RangeRequest.encode(RangeRequest.fromPartial({ key: Buffer.from([0]), rangeEnd: Buffer.from([0]) })).finish(),
);
/** A length that is not there, and a compressed message that is none. */
const brokenFrame = () =>
  Buffer.concat([Buffer.from([randomBytes(1).readUInt8() & 1, 0x7f, 0xff, 0xff, 0xff]), randomBytes(4096)]);
const [largeObject, tooLargeObject] = [configMap(MIB - 200_000), configMap(8 * MIB)];
const nested = '['.repeat(MIB);
const aliases = `a: &a [x,x,x,x,x,x,x,x]\n${Array.from({ length: 20 }, (_, i) => `${'bcdefghijklmnopqrstu'[i] ?? 'z'}: &${'bcdefghijklmnopqrstu'[i] ?? 'z'} [*${'abcdefghijklmnopqrst'[i] ?? 'a'},*${'abcdefghijklmnopqrst'[i] ?? 'a'}]`).join('\n')}\n`;

/** Broken and oversized bytes, mostly by the administrator: what authentication does not hold off. */
export const BROKEN: Readonly<Record<string, Attack>> = {
  'grpc: garbage': socketAttack(tcp('grpc'), garbage(65_536)),
  'grpc: TLS and garbage, from strangers': socketAttack(tlsSocket('grpc', 'h2', false), garbage(65_536)),
  'grpc: broken HTTP/2': socketAttack(tlsSocket('grpc', 'h2', true), () =>
    Buffer.concat([PREFACE, randomBytes(65_536)]),
  ),
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
  'rest: broken JSON': restAttack({
    path: CONFIG_MAPS,
    body: () => `{"kind":"ConfigMap","data":{${'"a":'.repeat(10_000)}`,
  }),
  'rest: broken protobuf': restAttack({
    path: CONFIG_MAPS,
    type: 'application/vnd.kubernetes.protobuf',
    body: garbage(65_536),
  }),
  'rest: strangers': restAttack({
    path: CONFIG_MAPS,
    known: false,
    headers: { authorization: `Bearer ${'x'.repeat(4000)}` },
    body: () => largeObject,
  }),
  'rest: long paths and headers': restAttack({
    path: `/api/v1/${'x'.repeat(6000)}`,
    method: 'GET',
    headers: { 'x-flood': 'y'.repeat(6000) },
  }),
};
