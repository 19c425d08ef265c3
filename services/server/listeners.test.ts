/** Issue 6, row 8: CBC ciphers are offered nowhere, also not after a certificate was replaced. */
import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { connect, type ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { createAuthority, issueCertificate, type KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { ReplaceableTls, serverCredentials } from '../../raft/transport/credentials.js';
import { NodeServer } from '../agent/server/node-server.js';
import { rotatingServerCredentials } from '../apiserver/grpc/credentials.js';
import type { RestFront } from '../apiserver/rest/front.js';
import { HttpsServer } from '../apiserver/rest/server.js';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
const context = { clock: systemClock, random: systemRandom };

interface Listener {
  readonly name: string;
  readonly port: number;
  rotate(): void;
  stop(): Promise<void> | void;
}

let authority: KeyPair;
let client: KeyPair;
let listeners: Listener[];

async function grpc(name: string, credentials: ServerCredentials, rotate: () => void): Promise<Listener> {
  const server = new Server();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { name, port, rotate, stop: () => server.forceShutdown() };
}

beforeAll(async () => {
  authority = await createAuthority('ours', 3_600_000, context);
  const serving = await issueCertificate(
    authority,
    { subject: { commonName: 'server' }, usages: ['server', 'client'], names: ['127.0.0.1'], lifetime_ms: 3_600_000 },
    context,
  );
  client = serving;
  const material = { certificate: serving.certificate, key: serving.privateKey, clientCa: authority.certificate };
  const changes = new Set<() => void>();
  const tls = {
    current: () => material,
    onChange: (callback: () => void) => (changes.add(callback), () => void changes.delete(callback)),
  };
  const rotate = () => changes.forEach((change) => change());
  const rest = new HttpsServer({
    front: { close: () => undefined } as unknown as RestFront,
    tls,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    logger: silent,
    upgrade: () => Promise.resolve(),
  });
  await rest.start();
  const own = { ca: authority.certificate, certificate: serving.certificate, key: serving.privateKey };
  const node = new NodeServer({
    host: '127.0.0.1',
    port: 0,
    tls: own,
    health: () => Promise.resolve(undefined),
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
  });
  await node.start();
  const peers = new ReplaceableTls({ ca: own.ca, cert: own.certificate, key: own.key });
  listeners = [
    { name: 'REST', port: rest.address.port, rotate, stop: () => rest.stop() },
    await grpc('gRPC', rotatingServerCredentials(tls), rotate),
    await grpc('peers', serverCredentials(peers), () => peers.replace(peers.current())),
    { name: 'worker', port: node.port, rotate: () => node.renew(own), stop: () => node.stop() },
  ];
});
afterAll(async () => {
  for (const listener of listeners) await listener.stop();
});

function handshake(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: '127.0.0.1',
        port,
        rejectUnauthorized: false,
        cert: client.certificate,
        key: client.privateKey,
        ALPNProtocols: ['h2', 'http/1.1'],
        ...options,
      },
      () => {
        resolve(socket.getCipher().name);
        socket.destroy();
      },
    );
    socket.on('error', reject);
  });
}

describe.each(['at the start', 'after a rotation'])('%s', (when) => {
  it.each(['REST', 'gRPC', 'peers', 'worker'])(
    '%s offers authenticated encryption with forward secrecy and nothing else',
    async (name) => {
      const listener = listeners.find((one) => one.name === name);
      if (when === 'after a rotation') listener?.rotate();
      const port = listener?.port ?? 0;
      for (const ciphers of [
        'ECDHE-ECDSA-AES128-SHA',
        'ECDHE-ECDSA-AES256-SHA384',
        'ECDHE-ECDSA-AES128-SHA256',
        'AES128-GCM-SHA256',
      ]) {
        await expect(handshake(port, { ciphers, maxVersion: 'TLSv1.2' }), ciphers).rejects.toThrow(
          /alert|handshake|reset/i,
        );
      }
      await expect(
        handshake(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      ).rejects.toThrow(/alert|protocol|reset/i);
      expect(await handshake(port, { maxVersion: 'TLSv1.2' })).toMatch(/^ECDHE-ECDSA-(AES\d+-GCM|CHACHA20)/);
      expect(await handshake(port, { minVersion: 'TLSv1.3' })).toMatch(/^TLS_/);
    },
  );
});
