import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { WriteServiceClient } from '../../../proto/gen/navarch/store/v1/write.js';
import type { Operation } from '../../../proto/gen/navarch/store/v1/write.js';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { createAuthority, issueCertificate } from '../../../platform/pki/x509.js';
import type { KeyPair } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import { connectStoreWriter } from '../../../sdk/store/store-writer.js';
import type { StoreWriter } from '../../../sdk/store/store-writer.js';
import type { EtcdOperation } from '../etcd/authorize.js';
import { MemoryStore } from '../backend/memory-store.js';
import { StoreError } from '../store.js';
import { writeService } from './write-stream.js';

const HOUR_MS = 3_600_000;
const context = { clock: systemClock, random: systemRandom };
let authority: KeyPair;
let serverPair: KeyPair;
let clientPair: KeyPair;
let store: MemoryStore;
let server: Server;
let address: string;
let writer: StoreWriter;
const text = async (key: string) =>
  (await store.range({ key: Buffer.from(key) })).kvs.map(({ value }) => Buffer.from(value).toString())[0];

beforeAll(async () => {
  authority = await createAuthority('test', HOUR_MS, context);
  serverPair = await issueCertificate(
    authority,
    { subject: { commonName: 'member' }, names: ['localhost'], usages: ['server'], lifetime_ms: HOUR_MS },
    context,
  );
  clientPair = await issueCertificate(
    authority,
    {
      subject: { commonName: 'writer', organizations: ['writers'] },
      names: [],
      usages: ['client'],
      lifetime_ms: HOUR_MS,
    },
    context,
  );
});

async function listen(at = '127.0.0.1:0'): Promise<void> {
  server = new Server();
  const isOwn = (operation: EtcdOperation) =>
    operation.kind === 'write' && !Buffer.from(operation.key).toString().startsWith('secret/');
  const { definition, implementation } = writeService({
    backend: store,
    clock: systemClock,
    authorize: (who, operation) => who?.roles.includes('writers') === true && isOwn(operation),
  });
  server.addService(definition, implementation);
  const pair = [{ cert_chain: Buffer.from(serverPair.certificate), private_key: Buffer.from(serverPair.privateKey) }];
  const credentials = ServerCredentials.createSsl(Buffer.from(authority.certificate), pair, true);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(at, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  );
  address = `127.0.0.1:${port}`;
}

beforeEach(async () => {
  store = new MemoryStore();
  await listen();
  writer = await connectStoreWriter({
    endpoints: [address],
    serverName: 'localhost',
    tls: { ca: authority.certificate, certificate: clientPair.certificate, privateKey: clientPair.privateKey },
  });
});
afterEach(async () => {
  server.forceShutdown();
  await store.close();
});

it('gives each write a revision of its own, in the order of the writes, however many are under way', async () => {
  const revisions = await Promise.all(Array.from({ length: 20_000 }, (_, i) => writer.put(`k${i % 1000}`, `v${i}`)));
  expect(revisions).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 2));
  expect(await text('k7')).toBe('v19007');
  await writer.close();
});

it('deletes, also what is not there', async () => {
  const [put, gone, nothing] = await Promise.all([writer.put('a', '1'), writer.delete('a'), writer.delete('b')]);
  expect([gone, nothing]).toEqual([put + 1, put + 1]);
  expect(await text('a')).toBeUndefined();
});

it('lets each write fail alone, and says why', async () => {
  const outcomes = await Promise.allSettled([
    writer.put('a', '1'),
    writer.put('', '2'),
    writer.put('secret/x', '3'),
    writer.put('b', '4', { lease: 99n }),
    writer.put('c', '5'),
  ]);
  expect(outcomes.map(({ status: how }) => how)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
  const reasons = outcomes.flatMap((one) =>
    one.status === 'rejected' ? [one.reason as { reason: string; message: string }] : [],
  );
  expect(reasons.map(({ message }) => message)).toEqual([
    expect.stringContaining('key is not provided'),
    expect.stringContaining('permission denied'),
    expect.stringContaining('lease not found'),
  ]);
  expect([await text('a'), await text('c'), await text('secret/x')]).toEqual(['1', '5', undefined]);
});

it('tells of a write whose outcome is not known', async () => {
  store.put = () => Promise.reject(new StoreError('unknown-outcome', 'etcdserver: request timed out'));
  await expect(writer.put('a', '1')).rejects.toThrow('whether the write happened is not known');
});

it('goes on after its stream broke; what was under way then fails as unknown', async () => {
  await writer.put('a', '1');
  const hang = store.put;
  store.put = () => new Promise(() => undefined);
  const lost = writer.put('a', '2');
  lost.catch(() => undefined);
  await systemClock.sleep(50);
  server.forceShutdown();
  await expect(lost).rejects.toThrow('whether the write happened is not known');
  store.put = hang;
  await listen(address);
  await writer.put('a', '3');
  expect(await text('a')).toBe('3');
});

it('waits at its close for what is under way, and takes nothing more', async () => {
  const writes = Array.from({ length: 100 }, (_, i) => writer.put('last', `${i}`));
  await writer.close();
  expect(await text('last')).toBe('99');
  await Promise.all(writes);
  await expect(writer.put('late', '1')).rejects.toThrow('closed');
});

const MIB = 1024 * 1024;

/** A client that sends messages as it likes; `ended` is how its stream ended, answers are counted. */
function open() {
  const client = new WriteServiceClient(
    address,
    credentials.createSsl(
      Buffer.from(authority.certificate),
      Buffer.from(clientPair.privateKey),
      Buffer.from(clientPair.certificate),
      { checkServerIdentity: () => undefined },
    ),
    { 'grpc.ssl_target_name_override': 'localhost' },
  );
  const call = client.write();
  const answers = { count: 0 };
  call.on('data', ({ outcomes }) => {
    answers.count += outcomes.length;
  });
  const ended = new Promise<string>((resolve) => {
    call.on('error', (error: ServiceError) => resolve(`${status[error.code] ?? ''}: ${error.details}`));
    call.on('end', () => resolve('OK'));
  });
  return { call, answers, ended, close: () => client.close() };
}

const del = (key: string): Operation => ({ kind: { $case: 'delete', value: { key: Buffer.from(key) } } });
const put = (bytes: number): Operation => ({
  kind: { $case: 'put', value: { key: Buffer.from('k'), value: Buffer.alloc(bytes), lease: 0n } },
});

it.each<[string, Operation[], string]>([
  ['as many writes as a message may have', Array.from({ length: 8192 }, () => del('a')), 'OK'],
  [
    'more',
    Array.from({ length: 8193 }, () => del('a')),
    'RESOURCE_EXHAUSTED: a message has more than 8192 writes: send more messages',
  ],
  [
    'more that say nothing',
    Array.from({ length: 500_000 }, () => ({ kind: undefined })),
    'RESOURCE_EXHAUSTED: a message has more than 8192 writes: send more messages',
  ],
  ['as many bytes as a message may have', [put(1.5 * MIB), put(0.4 * MIB)], 'OK'],
  [
    'more bytes',
    [put(2 * MIB)],
    'RESOURCE_EXHAUSTED: a message of writes has 2097170 bytes; at most 2097152 are taken: send more messages',
  ],
])('a message with %s', async (_name, operations, outcome) => {
  const { call, answers, ended, close } = open();
  call.write({ operations });
  if (outcome === 'OK') call.end();
  expect(await ended).toBe(outcome);
  expect(answers.count).toBe(outcome === 'OK' ? operations.length : 0);
  close();
});

it('a message of many writes is begun in parts, between which others have their turn; a stream is not read on for more bytes than it may have under way', async () => {
  let begun = 0;
  let inOneTurn = 0;
  let turn = 0;
  const settle: (() => void)[] = [];
  store.put = () => {
    if (turn === 0)
      setImmediate(() => {
        turn = 0;
      });
    inOneTurn = Math.max(inOneTurn, ++turn);
    begun++;
    return new Promise((resolve) =>
      settle.push(() => resolve({ revision: 2 } as Awaited<ReturnType<typeof store.put>>)),
    );
  };
  const { call, answers, ended, close } = open();
  call.write({ operations: Array.from({ length: 4000 }, () => put(1)) });
  while (begun < 4000) await systemClock.sleep(5);
  expect(inOneTurn).toBeLessThanOrEqual(256);
  for (const done of settle.splice(0)) done();
  while (answers.count < 4000) await systemClock.sleep(5);
  begun = 0;
  for (let i = 0; i < 40; i++) call.write({ operations: [put(MIB)] });
  while (begun < 8) await systemClock.sleep(5);
  await systemClock.sleep(200);
  // A message or two are on their way already when it stops to read.
  expect(begun).toBeLessThan(16);
  while (answers.count < 4040) {
    for (const done of settle.splice(0)) done();
    await systemClock.sleep(5);
  }
  call.end();
  expect(await ended).toBe('OK');
  close();
});
