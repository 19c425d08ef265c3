/**
 * Issue 6, row 2: what callers of a gRPC port may make it hold, before and after it is known who they are; row 8:
 * certificates on each call.
 */
import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerDuplexStream,
} from '@grpc/grpc-js';
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { systemClock, type Clock } from '../clock.js';
import { createAuthority, issueCertificate, type KeyPair } from '../pki/x509.js';
import { systemRandom } from '../random.js';
import { GUARD_LIMITS, type GuardLimits } from './limits.js';
import { ServerGuard } from './server-guard.js';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
const KIB = 1024;
const MIB = KIB * KIB;
const MESSAGE_BYTES_MAX = 16 * MIB;
const context = { clock: systemClock, random: systemRandom };

let authority: KeyPair;
let serving: KeyPair;
let alice: KeyPair;
let stranger: KeyPair;
beforeAll(async () => {
  authority = await createAuthority('ours', 3_600_000, context);
  const other = await createAuthority('theirs', 3_600_000, context);
  serving = await issueCertificate(
    authority,
    { subject: { commonName: 'server' }, usages: ['server'], names: ['127.0.0.1'], lifetime_ms: 3_600_000 },
    context,
  );
  alice = await issueCertificate(
    authority,
    { subject: { commonName: 'alice' }, usages: ['client'], lifetime_ms: 3_600_000 },
    context,
  );
  stranger = await issueCertificate(
    other,
    { subject: { commonName: 'alice' }, usages: ['client'], lifetime_ms: 3_600_000 },
    context,
  );
});

class AskingCredentials extends ServerCredentials {
  constructor() {
    super(
      { requestCert: true, rejectUnauthorized: false },
      { ca: authority.certificate, cert: serving.certificate, key: serving.privateKey },
    );
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0).toReversed()) close();
});

interface Guarded {
  readonly port: number;
  readonly guard: ServerGuard;
}

const same = (bytes: Buffer) => bytes;
const rpc = (name: string, isStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

/** Echo answers with the length of what it got; Hold answers nothing until its client ends. */
async function guarded(
  options: { limits?: GuardLimits; clock?: Clock; authenticates?: (header: string) => Promise<boolean> } = {},
): Promise<Guarded> {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_concurrent_streams': GUARD_LIMITS.anonymous.streams,
  });
  server.addService(
    { Echo: rpc('Echo', false), Hold: rpc('Hold', true), Never: rpc('Never', false) },
    {
      Echo: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        callback(null, Buffer.from(String(call.request.length))),
      Hold: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (message: Buffer) => call.write(Buffer.from(String(message.length))));
        call.on('end', () => call.end());
        call.on('error', () => undefined);
      },
      Never: () => undefined,
    },
  );
  const guard = new ServerGuard({
    authenticates: options.authenticates ?? ((header) => Promise.resolve(header === 'Bearer good')),
    message_bytes_max: MESSAGE_BYTES_MAX,
    clock: options.clock ?? systemClock,
    logger: silent,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', new AskingCredentials(), (error, bound) => {
      if (error !== null) return reject(error);
      guard.guard(server);
      return resolve(bound);
    });
  });
  open.push(() => {
    guard.stop();
    server.forceShutdown();
  });
  return { port, guard };
}

function session({ port }: Guarded, pair?: KeyPair): ClientHttp2Session {
  const client = connectHttp2(`https://127.0.0.1:${port}`, {
    // The client must not run into limits of its own.
    ca: authority.certificate,
    rejectUnauthorized: false,
    maxSessionMemory: 1000,
    ...(pair === undefined ? {} : { cert: pair.certificate, key: pair.privateKey }),
  });
  client.on('error', () => undefined);
  open.push(() => client.destroy());
  return client;
}

const message = (length: number, { declared = length, isCompressed = false } = {}): Buffer => {
  const bytes = Buffer.alloc(5 + length);
  bytes[0] = isCompressed ? 1 : 0;
  bytes.writeUInt32BE(declared, 1);
  return bytes;
};

interface Ending {
  readonly status: string;
  readonly reset: number;
  readonly body: string;
}

function request(
  client: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
): { stream: ClientHttp2Stream; ending: Promise<Ending> } {
  const stream = client.request({
    ':method': 'POST',
    ':path': `/test.Echo/${path}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const ending = new Promise<Ending>((resolve) => {
    let status = '';
    let body = '';
    const note = (found: IncomingHttpHeaders) => {
      status = found['grpc-status']?.toString() ?? status;
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('data', (chunk: Buffer) => (body += chunk.subarray(5).toString()));
    stream.on('error', () => undefined);
    stream.on('close', () => resolve({ status, reset: stream.rstCode ?? 0, body }));
  });
  return { stream, ending };
}

const [OK, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAUTHENTICATED] = ['0', '4', '8', '12', '16'];

async function echo(client: ClientHttp2Session, length: number, headers: Record<string, string> = {}): Promise<Ending> {
  const { stream, ending } = request(client, 'Echo', headers);
  stream.end(message(length));
  return ending;
}

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; !what(); i++) {
    if (i > 3000) throw new Error('it did not come to pass');
    await systemClock.sleep(10);
  }
}

/** Writes a message of 15 MiB without its end. */
function leaveUnfinished(client: ClientHttp2Session, headers: Record<string, string> = {}): Promise<Ending> {
  const { stream, ending } = request(client, 'Echo', headers);
  stream.write(message(15 * MIB - KIB, { declared: 15 * MIB }));
  return ending;
}

it('lets anybody call with a few KiB, as a worker that joins does', async () => {
  const server = await guarded();
  expect(await echo(session(server), 4 * KIB)).toMatchObject({ status: OK, body: String(4 * KIB) });
});

it('holds next to nothing of forty unfinished messages of 15 MiB from nobody', async () => {
  const server = await guarded();
  const clients = Array.from({ length: 5 }, () => session(server));
  const endings = await Promise.all(
    clients.flatMap((client) => Array.from({ length: 8 }, () => leaveUnfinished(client))),
  );
  expect(endings.every(({ status, reset }) => status === RESOURCE_EXHAUSTED || reset !== 0)).toBe(true);
  expect(server.guard.unfinished_bytes).toBe(0);
});

it('refuses the ninth stream of a caller nobody knows, and a hundred at once cost it its connection', async () => {
  const server = await guarded();
  const client = session(server);
  const held = Array.from({ length: 8 }, () => request(client, 'Hold'));
  await new Promise((resolve) => client.once('remoteSettings', resolve));
  await until(() => client.remoteSettings.maxConcurrentStreams === 8);
  // A client that heeds the settings waits; one that does not is refused.
  await rawStreams(server, 9, ({ resets }) => resets > 0);
  await rawStreams(server, 100, ({ closed, resets }) => closed || resets > 80);
  for (const { stream } of held) stream.close();
});

it('gives a call without credentials a deadline, and closes a connection without calls', async () => {
  const limits = { ...GUARD_LIMITS, anonymous: { ...GUARD_LIMITS.anonymous, call_ms: 50, idle_ms: 500 } };
  const server = await guarded({ limits });
  const client = session(server);
  expect(await request(client, 'Hold').ending).toMatchObject({ status: DEADLINE_EXCEEDED });
  await until(() => client.closed);
});

it('leaves a caller with a certificate its silence', async () => {
  const limits = { ...GUARD_LIMITS, anonymous: { ...GUARD_LIMITS.anonymous, call_ms: 20, idle_ms: 20 } };
  const server = await guarded({ limits });
  const client = session(server, alice);
  await systemClock.sleep(100);
  expect(await echo(client, MIB)).toMatchObject({ status: OK, body: String(MIB) });
});

it('takes a large request with a token that is good, though it arrives before the token was looked at', async () => {
  const server = await guarded({
    authenticates: async (header) => (await systemClock.sleep(50), header === 'Bearer good'),
  });
  const client = session(server);
  expect(await echo(client, MIB, { authorization: 'Bearer good' })).toMatchObject({ status: OK, body: String(MIB) });
  await until(() => client.remoteSettings.maxConcurrentStreams === GUARD_LIMITS.identified.streams);
});

it('refuses a wrong token, on every call', async () => {
  const server = await guarded();
  const client = session(server);
  expect(await echo(client, 10, { authorization: 'Bearer bad' })).toMatchObject({ status: UNAUTHENTICATED });
  expect(await leaveUnfinished(client, { authorization: 'Bearer bad' })).toMatchObject({ status: UNAUTHENTICATED });
});

it('does not take the certificate of another authority for no certificate', async () => {
  const server = await guarded();
  expect(await echo(session(server, stranger), 10)).toMatchObject({ status: UNAUTHENTICATED });
});

it('refuses a certificate that expires while its connection is open, from then on', async () => {
  let ahead_ms = 0;
  const server = await guarded({ clock: { ...systemClock, now: () => systemClock.now() + ahead_ms } });
  const client = session(server, alice);
  expect(await echo(client, 10)).toMatchObject({ status: OK });
  ahead_ms = 2 * 3_600_000;
  expect(await echo(client, 10)).toMatchObject({ status: UNAUTHENTICATED });
});

it('bounds what one known caller leaves unfinished, and ends the largest', async () => {
  const server = await guarded();
  const client = session(server, alice);
  const small = request(client, 'Hold');
  small.stream.write(message(KIB, { declared: 2 * KIB }));
  const large = Array.from({ length: 8 }, () => leaveUnfinished(client));
  const first = await Promise.race(large);
  expect(first.status === RESOURCE_EXHAUSTED || first.reset !== 0).toBe(true);
  expect(server.guard.unfinished_bytes).toBeLessThanOrEqual(GUARD_LIMITS.identified.unfinished_bytes);
  expect(await echo(client, 10)).toMatchObject({ status: OK });
  // What it holds is little, so it is not the one that goes.
  small.stream.write(Buffer.alloc(KIB));
  await new Promise((resolve) => small.stream.once('data', resolve));
});

it('bounds what all callers together leave unfinished', async () => {
  const server = await guarded();
  const clients = Array.from({ length: 6 }, () => session(server, alice));
  let most = 0;
  const timer = systemClock.every(5, () => (most = Math.max(most, server.guard.unfinished_bytes)));
  const endings = clients.flatMap((client) => Array.from({ length: 4 }, () => leaveUnfinished(client)));
  await Promise.race(endings);
  await until(() => most > 16 * MIB);
  await systemClock.sleep(500);
  timer.cancel();
  expect(most).toBeLessThanOrEqual(GUARD_LIMITS.unfinished_bytes);
});

it('ends a message that is not finished in time', async () => {
  let ahead_ms = 0;
  const clock: Clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + ahead_ms,
    every: (_, callback) => systemClock.every(20, callback),
  };
  const server = await guarded({ clock });
  const { stream, ending } = request(session(server, alice), 'Echo');
  stream.write(message(KIB, { declared: 2 * KIB }));
  await until(() => server.guard.unfinished_bytes > 0);
  ahead_ms = GUARD_LIMITS.identified.message_ms + 1000;
  expect(await ending).toMatchObject({ status: RESOURCE_EXHAUSTED });
});

it('takes no request that grows when it is unpacked', async () => {
  const server = await guarded();
  const bomb = gzipSync(Buffer.alloc(15 * MIB));
  const { stream, ending } = request(session(server), 'Echo', { 'grpc-encoding': 'gzip' });
  stream.end(Buffer.concat([message(0, { declared: bomb.length, isCompressed: true }), bomb]));
  expect(await ending).toMatchObject({ status: UNIMPLEMENTED });
});

it('closes connections of one address beyond their number, and takes new ones when others have gone', async () => {
  const server = await guarded({ limits: { ...GUARD_LIMITS, connections: { total: 10, perAddress: 3 } } });
  const three = await Promise.all(Array.from({ length: 3 }, () => tls(server, alice)));
  await expect(tls(server, alice)).rejects.toThrow();
  three[0]?.destroy();
  // The server hears of it after the client.
  let fourth: TLSSocket | undefined;
  while (fourth === undefined) fourth = await tls(server, alice).catch(() => undefined);
  fourth.destroy();
});

it('lets fewer connections of one address in that have no certificate', async () => {
  const limits = {
    ...GUARD_LIMITS,
    anonymous: { ...GUARD_LIMITS.anonymous, connections: { total: 10, perAddress: 2 } },
  };
  const server = await guarded({ limits });
  const clients = [session(server), session(server)];
  for (const client of clients) expect(await echo(client, 10)).toMatchObject({ status: OK });
  const third = session(server);
  await until(() => third.closed);
  expect(await echo(session(server, alice), 10)).toMatchObject({ status: OK });
  // Who has shown a token makes room.
  expect(await echo(clients[0] ?? third, 10, { authorization: 'Bearer good' })).toMatchObject({ status: OK });
  expect(await echo(session(server), 10)).toMatchObject({ status: OK });
});

it('ends the connection of one that opens and resets streams without end (CVE-2023-44487)', async () => {
  const server = await guarded();
  await rawStreams(server, 5_000, ({ closed }) => closed, { isReset: true, pair: alice });
  expect(await echo(session(server, alice), 10)).toMatchObject({ status: OK });
});

function tls(server: Guarded, pair?: KeyPair): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls(
      {
        host: '127.0.0.1',
        port: server.port,
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
        ...(pair === undefined ? {} : { cert: pair.certificate, key: pair.privateKey }),
      },
      () => resolve(socket),
    );
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    open.push(() => socket.destroy());
  });
}

function frame(type: number, flags: number, [id, payload]: readonly [number, Buffer]): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);

interface RawClient {
  resets: number;
  closed: boolean;
}

/** A client that reads no settings: opens streams, resets them where told to, and waits until `holds`. */
async function rawStreams(
  server: Guarded,
  count: number,
  holds: (seen: RawClient) => boolean,
  { isReset = false, pair }: { isReset?: boolean; pair?: KeyPair } = {},
): Promise<void> {
  const socket = await tls(server, pair);
  const seen: RawClient = { resets: 0, closed: false };
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (
      let length = 0;
      rest.length >= 9 && rest.length >= (length = 9 + rest.readUIntBE(0, 3));
      rest = rest.subarray(length)
    )
      if (rest[3] === 3) seen.resets++;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => (seen.closed = true));
  const headers = Buffer.concat([
    Buffer.from([0x83, 0x87]),
    literal(':path', '/test.Echo/Hold'),
    literal(':authority', 'x'),
    literal('content-type', 'application/grpc'),
  ]);
  const frames = [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, [0, Buffer.alloc(0)])];
  for (let i = 0; i < count; i++) {
    frames.push(frame(1, 4, [1 + 2 * i, headers]));
    if (isReset) frames.push(frame(3, 0, [1 + 2 * i, Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL])]));
  }
  socket.write(Buffer.concat(frames));
  await until(() => holds(seen));
}
