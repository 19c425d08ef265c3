/** Issue 6, row 30: the kubeconfig of `up` names an address that outlives each member. */
import { once } from 'node:events';
import { createServer, Agent, get, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { createAuthority, issueCertificate, type KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { ApiFront } from './api-front.js';
import { TargetTable } from './target-table.js';

const context = { clock: systemClock, random: systemRandom };
let authority: KeyPair;
let serving: KeyPair;
let admin: KeyPair;
beforeAll(async () => {
  authority = await createAuthority('cluster', 3_600_000, context);
  serving = await issueCertificate(
    authority,
    { subject: { commonName: 'member' }, usages: ['server'], names: ['127.0.0.1'], lifetime_ms: 3_600_000 },
    context,
  );
  admin = await issueCertificate(
    authority,
    { subject: { commonName: 'admin' }, usages: ['client'], lifetime_ms: 3_600_000 },
    context,
  );
});

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

interface Member {
  readonly name: string;
  readonly port: number;
  /** What `/readyz` is answered; undefined: nothing is. */
  ready: number | undefined;
  /** How often it was asked for `/readyz`. */
  looks: number;
  /** As kill -9: its connections break. */
  kill(): void;
}

async function member(name: string, port = 0): Promise<Member> {
  const sockets = new Set<{ destroy(): void }>();
  const server: Server = createServer(
    {
      cert: serving.certificate,
      key: serving.privateKey,
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      if (request.url === '/readyz') found.looks++;
      if (request.url !== '/readyz')
        response.end(
          `${name} ${(request.socket as TLSSocket).getPeerCertificate().subject?.CN?.toString() ?? 'nobody'}`,
        );
      else if (found.ready !== undefined) response.writeHead(found.ready).end();
    },
  );
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const found: Member = {
    name,
    ready: 200,
    looks: 0,
    port: (server.address() as AddressInfo).port,
    kill: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  open.push(() => found.kill());
  return found;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await systemClock.sleep(5);
}

/** The front has looked at it again: what it saw before that is noted. */
async function seen(...members: readonly Member[]): Promise<void> {
  const before = members.map(({ looks }) => looks);
  await until(() => members.every(({ looks }, i) => looks >= (before[i] ?? 0) + 2));
}

async function front(...members: readonly Member[]): Promise<ApiFront> {
  const targets = members.map(({ name, port }) => ({ name, host: '127.0.0.1', port }));
  const found = new ApiFront({
    host: '127.0.0.1',
    port: 0,
    targets,
    ca: authority.certificate,
    pace: { look_ms: 30, answer_ms: 200 },
    clock: systemClock,
    logger: silentLogger,
  });
  await found.start();
  open.push(() => found.stop());
  await seen(...members);
  return found;
}

/** Over a connection of its own, as the administrator: which member answers, and whom it takes the client for. */
function ask({ port }: ApiFront): Promise<string> {
  return new Promise((resolve, reject) => {
    get(
      {
        host: '127.0.0.1',
        port,
        path: '/',
        agent: new Agent(),
        ca: authority.certificate,
        cert: admin.certificate,
        key: admin.privateKey,
      },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString())).on('end', () => resolve(body));
      },
    ).on('error', reject);
  });
}

/** A connection that stays, as a watch does. */
async function stay({ port }: ApiFront): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate });
  socket.on('error', () => undefined);
  open.push(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

describe('the front', () => {
  it("passes TLS through: the member sees the client's own certificate", async () => {
    expect(await ask(await front(await member('m1')))).toBe('m1 admin');
  });

  it('gives each member its share', async () => {
    const one = await member('m1');
    const at = await front(one, await member('m2'));
    const sockets = [await stay(at), await stay(at), await stay(at), await stay(at)];
    one.kill();
    await until(() => sockets.some(({ closed }) => closed));
    await systemClock.sleep(200);
    expect(sockets.filter(({ closed }) => closed)).toHaveLength(2);
  });

  it('answers on while members die one after the other, and come back', async () => {
    const [one, two] = [await member('m1'), await member('m2')];
    const at = await front(one, two);
    one.kill();
    for (let i = 0; i < 5; i++) expect(await ask(at)).toBe('m2 admin');
    await seen(await member('m1', one.port));
    two.kill();
    for (let i = 0; i < 5; i++) expect(await ask(at)).toBe('m1 admin');
  });

  it('cuts the connections of a member that dies at once', async () => {
    const one = await member('m1');
    const at = await front(one);
    const watching = await stay(at);
    const cut = once(watching, 'close');
    const { looks } = one;
    one.kill();
    await cut;
    // It was not a look that found it out.
    expect(one.looks).toBeLessThanOrEqual(looks + 1);
  });

  it.each<[string, number | undefined]>([
    ['says nothing any more', undefined],
    ['is not ready', 500],
  ])('cuts the connections of a member that %s, when another is well', async (_what, ready) => {
    const one = await member('m1');
    const at = await front(one, await member('m2'));
    const sockets = [await stay(at), await stay(at)];
    one.ready = ready;
    await until(() => sockets.some(({ closed }) => closed));
    await systemClock.sleep(300);
    expect(sockets.filter(({ closed }) => closed)).toHaveLength(1);
    expect(await ask(at)).toBe('m2 admin');
  });

  it('leaves connections be when no member is better off', async () => {
    const one = await member('m1');
    const at = await front(one);
    const watching = await stay(at);
    one.ready = 500;
    await seen(one);
    await seen(one);
    expect(watching.closed).toBe(false);
    expect(await ask(at)).toBe('m1 admin');
  });

  it('lets a client wait for a member that is starting', async () => {
    const one = await member('m1');
    const at = await front(one);
    one.kill();
    const answer = ask(at);
    await systemClock.sleep(300);
    await member('m1', one.port);
    expect(await answer).toBe('m1 admin');
  });
});

it('orders members by what was seen of them, and by their connections', () => {
  const targets = ['a', 'b', 'c'].map((name) => ({ name, host: name, port: 1 }));
  const [a, b, c] = targets;
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  const table = new TargetTable(targets);
  const order = () =>
    table
      .order()
      .map(({ name }) => name)
      .join('');
  expect(order()).toBe('abc');
  table.saw(c, 'well');
  expect(order()).toBe('cab');
  table.saw(a, 'well');
  table.opened(a);
  expect(order()).toBe('cab');
  table.saw(c, 'silent');
  expect([order(), table.isToBeLeft(c)]).toEqual(['cab', false]);
  table.saw(c, 'silent');
  expect([order(), table.isToBeLeft(c)]).toEqual(['abc', true]);
  table.saw(a, 'refused');
  expect([order(), table.isToBeLeft(a), table.isToBeLeft(c)]).toEqual(['bca', false, false]);
  table.saw(c, 'well');
  expect([order(), table.isToBeLeft(a)]).toEqual(['cba', true]);
});
