/**
 * Members as processes: join, hand over, remove, replace, wipe, repair, recover. Needs the build output and three ports
 * for each member.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../e2e/lib/until.js';
import { systemClock } from '../../../platform/clock.js';
import { freePorts } from '../../../platform/free-ports.js';
import { readClusterPki } from '../../../platform/pki/cluster-pki.js';
import { systemRandom } from '../../../platform/random.js';
import { KVClient, PutRequest, RangeRequest, type RangeResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { serverNameOptions } from '../../../sdk/grpc/server-name.js';
import { issueAdminCertificate } from '../certificates.js';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');

interface Ended {
  readonly code: number;
  readonly out: string;
}

interface Row {
  readonly name: string;
  readonly id: string;
  readonly role: string;
}

/** Longest time for one step: below that of a test, so that what fails is the step, and says so. */
const STEP_MS_MAX = 60_000;

function navarch(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { timeout: STEP_MS_MAX, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        const late =
          error?.killed === true
            ? `navarch ${args[0] ?? ''} ${args[1] ?? ''} did not end within ${STEP_MS_MAX} ms\n`
            : '';
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), out: late + stdout + stderr });
      },
    );
  });
}

/** One member: its place, and the process that runs there now. */
class Seat {
  readonly name: string;
  readonly dataDir: string;
  readonly pkiDir: string;
  readonly ports: { readonly api: number; readonly grpc: number; readonly peer: number };
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(root: string, name: string, ports: Seat['ports']) {
    this.name = name;
    this.dataDir = join(root, name);
    this.pkiDir = join(root, `${name}-pki`);
    this.ports = ports;
  }

  static async make(root: string, name: string): Promise<Seat> {
    const [api = 0, grpc = 0, peer = 0] = await freePorts(3);
    return new Seat(root, name, { api, grpc, peer });
  }

  get endpoint(): string {
    return `127.0.0.1:${this.ports.grpc}`;
  }

  get output(): string {
    return this.#output;
  }

  get code(): number | null | undefined {
    return this.#child?.exitCode;
  }

  start(...more: string[]): void {
    this.#output = '';
    this.#child = spawn(
      process.execPath,
      [
        MAIN,
        'server',
        '--name',
        this.name,
        '--data-dir',
        this.dataDir,
        '--pki-dir',
        this.pkiDir,
        '--advertise-address',
        '127.0.0.1',
        '--listen-address',
        '127.0.0.1',
        '--api-port',
        String(this.ports.api),
        '--grpc-port',
        String(this.ports.grpc),
        '--peer-port',
        String(this.ports.peer),
        ...more,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child.stdout?.on('data', (text: Buffer) => (this.#output += text.toString()));
    this.#child.stderr?.on('data', (text: Buffer) => (this.#output += text.toString()));
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await until(
      `${this.name} ends by ${signal}`,
      () => child.exitCode !== null || child.signalCode !== null,
      this.#told,
    ).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
  }

  /** Its exit code, when it ends by itself. */
  ends(): Promise<number> {
    return until(`${this.name} ends`, () => this.#child?.exitCode ?? undefined, this.#told);
  }

  readonly #told = { timeout_ms: STEP_MS_MAX, show: () => Promise.resolve(this.output.slice(-1_000)) };
}

describe.skipIf(!existsSync(MAIN))('members as processes', () => {
  let root: string;
  const seats: Seat[] = [];

  beforeEach(({ onTestFailed }) => {
    root = mkdtempSync(join(tmpdir(), 'navarch-members-'));
    onTestFailed(() => {
      for (const one of seats)
        process.stderr.write(`== ${one.name} (exit code ${String(one.code)})\n${one.output.slice(-6_000)}\n`);
    });
  });

  afterEach(async () => {
    await Promise.all(seats.splice(0).map((seat) => seat.end('SIGKILL')));
    rmSync(root, { recursive: true, force: true });
  });

  const seat = async (name: string): Promise<Seat> => {
    const made = await Seat.make(root, name);
    seats.push(made);
    return made;
  };

  const rows = async (of: Seat): Promise<Row[]> => {
    const { code, out } = await navarch('member', 'list', '--data-dir', of.dataDir, '-o', 'json');
    return code === 0 ? (JSON.parse(out) as Row[]) : [];
  };
  const told = (): Promise<string> =>
    Promise.resolve(seats.map(({ name, output }) => `== ${name}\n${output.slice(-400)}`).join('\n'));
  const rolesAre = (of: Seat, wanted: readonly string[]) =>
    until(
      `members ${wanted.join()}, as ${of.name} lists them`,
      async () => {
        const found = await rows(of);
        const voters = found
          .filter(({ role }) => role === 'leader' || role === 'follower')
          .map(({ name }) => name)
          .toSorted();
        return found.some(({ role }) => role === 'leader') && voters.join() === wanted.join() ? found : undefined;
      },
      { show: told },
    );
  const leaderOf = async (among: readonly Seat[], asked: Seat): Promise<Seat> => {
    const name = await until('a leader', async () => (await rows(asked)).find(({ role }) => role === 'leader')?.name);
    return among.find((one) => one.name === name) as Seat;
  };
  const kv = async (at: Seat): Promise<KVClient> => {
    const pki = await readClusterPki(at.pkiDir);
    if (pki === undefined) throw new Error('no secrets');
    const admin = await issueAdminCertificate(pki, { clock: systemClock, random: systemRandom });
    const channel = credentials.createSsl(
      Buffer.from(pki.clusterAuthority.certificate),
      Buffer.from(admin.privateKey),
      Buffer.from(admin.certificate),
    );
    return new KVClient(at.endpoint, channel, serverNameOptions(at.endpoint));
  };
  const within = () => ({ deadline: systemClock.now() + STEP_MS_MAX });
  const put = async (at: Seat, key: string): Promise<void> => {
    const client = await kv(at);
    const request = { ...PutRequest.decode(Buffer.alloc(0)), key: Buffer.from(key), value: Buffer.from(key) };
    await new Promise<void>((resolve, reject) =>
      client.put(request, new Metadata(), within(), (error) => (error === null ? resolve() : reject(error))),
    ).finally(() => client.close());
  };
  const get = async (at: Seat, key: string): Promise<RangeResponse> => {
    const client = await kv(at);
    return new Promise<RangeResponse>((resolve, reject) => {
      client.range(
        { ...RangeRequest.decode(Buffer.alloc(0)), key: Buffer.from(key) },
        new Metadata(),
        within(),
        (error, answer) => (error === null ? resolve(answer) : reject(error)),
      );
    }).finally(() => client.close());
  };

  /** Three members, each with its own copy of the secrets. */
  async function startThree(): Promise<[Seat, Seat, Seat]> {
    const three: [Seat, Seat, Seat] = [await seat('a'), await seat('b'), await seat('c')];
    await navarch('pki', 'init', '--pki-dir', three[0].pkiDir);
    for (const one of three.slice(1)) {
      cpSync(three[0].pkiDir, one.pkiDir, { recursive: true });
    }
    const initial = three
      .map(({ name, ports }) => `${name}=127.0.0.1:${ports.peer}:${ports.grpc}:${ports.api}`)
      .join(',');
    for (const one of three) one.start('--initial-cluster', initial);
    await rolesAre(three[0], ['a', 'b', 'c']);
    return three;
  }

  const tokenOf = async (member: Seat): Promise<string> =>
    (await navarch('token', '--member', '--pki-dir', member.pkiDir)).out.trim();

  it('join, lead, hand over when they stop, and are removed for good', async () => {
    const [a, b] = await startThree();
    await put(a, 'first');
    const d = await seat('d');
    d.start('--join', b.endpoint, '--token', await tokenOf(a));
    await rolesAre(a, ['a', 'b', 'c', 'd']);
    for (const file of readdirSync(d.pkiDir).filter((name) => name.endsWith('.key') || name === 'cluster.json')) {
      expect(statSync(join(d.pkiDir, file)).mode & 0o077, file).toBe(0);
    }
    expect(await navarch('member', 'transfer', 'd', '--data-dir', a.dataDir)).toMatchObject({ code: 0 });
    expect((await leaderOf(seats, a)).name).toBe('d');
    expect((await get(d, 'first')).kvs).toHaveLength(1);
    // An orderly stop of the leader: somebody leads before it is gone.
    await d.end('SIGTERM');
    await put(a, 'second');
    d.start();
    await rolesAre(a, ['a', 'b', 'c', 'd']);
    await navarch('member', 'transfer', 'd', '--data-dir', a.dataDir);
    expect(await navarch('member', 'remove', 'd', '--data-dir', a.dataDir)).toMatchObject({ code: 0 });
    expect(await d.ends()).toBe(3);
    expect(d.output).toContain('was removed from cluster');
    d.start();
    expect(await d.ends()).toBe(3);
    expect(d.output).toContain('navarch server --join');
    await rolesAre(a, ['a', 'b', 'c']);
    await put(b, 'third');
  });

  it("are replaced when they are dead, and a name in use, a wrong token and a worker's token are refused", async () => {
    const [a, b, c] = await startThree();
    await c.end('SIGKILL');
    const token = await tokenOf(a);
    const impostor = await seat('a');
    Object.assign(impostor, { dataDir: join(root, 'impostor'), pkiDir: join(root, 'impostor-pki') });
    impostor.start('--join', a.endpoint, '--token', token);
    expect(await impostor.ends()).toBe(1);
    expect(impostor.output).toContain('remove it first, or choose another name');
    const last = token.at(-1) === '0' ? '1' : '0';
    const wrong = await seat('w');
    wrong.start('--join', a.endpoint, '--token', token.slice(0, -1) + last);
    expect(await wrong.ends()).toBe(1);
    expect(wrong.output).toContain('the member token is wrong');
    const worker = await seat('v');
    worker.start(
      '--join',
      a.endpoint,
      '--token',
      `${token.slice(0, token.indexOf('.'))}.worker.abcdef.0123456789abcdef`,
    );
    expect(await worker.ends()).toBe(2);
    // Two of three are alive: without one of those there would be no majority.
    expect((await navarch('member', 'remove', 'b', '--data-dir', a.dataDir)).out).toContain('which is no majority');
    expect(await navarch('member', 'remove', 'c', '--data-dir', a.dataDir)).toMatchObject({ code: 0 });
    const successor = await seat('c');
    Object.assign(successor, { dataDir: join(root, 'c2'), pkiDir: join(root, 'c2-pki') });
    successor.start('--join', `${a.endpoint},${b.endpoint}`, '--token', token);
    await rolesAre(a, ['a', 'b', 'c']);
  });

  it('do not come back after they were wiped, and are rebuilt by repair, which needs a quorum', async () => {
    const [a, b, c] = await startThree();
    await put(a, 'kept');
    const flags = [
      '--initial-cluster',
      [a, b, c].map(({ name, ports }) => `${name}=127.0.0.1:${ports.peer}:${ports.grpc}:${ports.api}`).join(','),
    ];
    expect((await navarch('member', 'repair', '--data-dir', c.dataDir)).out).toContain('stop it first');
    await c.end('SIGKILL');
    rmSync(join(c.dataDir, 'raft'), { recursive: true });
    rmSync(join(c.dataDir, 'state'), { recursive: true });
    c.start(...flags);
    expect(await c.ends()).toBe(3);
    expect(c.output).toContain('wiped or replaced');
    expect(await navarch('member', 'repair', '--data-dir', c.dataDir)).toMatchObject({ code: 0 });
    c.start(...flags);
    await rolesAre(a, ['a', 'b', 'c']);
    expect((await get(c, 'kept')).kvs).toHaveLength(1);

    await c.end('SIGKILL');
    // As if it had been killed before it wrote down that it has joined.
    const file = join(c.dataDir, 'member.json');
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), joining: true }));
    const folder = join(c.dataDir, 'raft', 'log');
    for (const name of readdirSync(folder).filter((one) => /\.(log|ldb)$/.test(one))) {
      const bytes = readFileSync(join(folder, name));
      writeFileSync(
        join(folder, name),
        Buffer.concat([
          bytes.subarray(0, bytes.length / 3),
          randomBytes(4096),
          bytes.subarray(bytes.length / 3 + 4096),
        ]),
      );
    }
    c.start(...flags);
    expect(await c.ends()).toBe(1);
    expect(c.output).toContain('navarch member repair');
    await b.end('SIGKILL');
    const refused = await navarch('member', 'repair', '--data-dir', c.dataDir);
    expect([refused.code, refused.out]).toEqual([1, expect.stringContaining('no quorum')]);
    b.start(...flags);
    // b answers, too: what a knows of the leader may be older than b's death.
    await until('a quorum', async () => {
      const found = await rows(a);
      return found.some(({ role }) => role === 'leader') &&
        found.some(({ name, role }) => name === 'b' && !role.includes('unreachable'))
        ? true
        : undefined;
    });
    const repaired = await navarch('member', 'repair', '--data-dir', c.dataDir);
    expect([repaired.code, repaired.out]).toEqual([0, expect.stringContaining('removing the old identity')]);
    expect(readdirSync(c.dataDir).filter((name) => name.startsWith('aside-'))).toHaveLength(2);
    c.start(...flags);
    await rolesAre(a, ['a', 'b', 'c']);
  });

  it('become a new cluster from one survivor when the others are gone for good, and shut those out', async () => {
    const [a, b, c] = await startThree();
    await put(a, 'kept');
    const before = (await get(a, 'kept')).header?.revision ?? 0n;
    expect((await navarch('cluster', 'recover', '--data-dir', a.dataDir)).out).toContain('stop it first');
    const flags = [
      '--initial-cluster',
      [a, b, c].map(({ name, ports }) => `${name}=127.0.0.1:${ports.peer}:${ports.grpc}:${ports.api}`).join(','),
    ];
    await a.end('SIGTERM');
    await put(b, 'only on b and c');
    expect((await navarch('cluster', 'recover', '--data-dir', a.dataDir)).out).toContain('the cluster lives');
    await b.end('SIGKILL');
    await c.end('SIGKILL');
    // b knows more than a.
    expect((await navarch('cluster', 'recover', '--data-dir', a.dataDir, '--compare', b.dataDir)).out).toContain(
      'is newer',
    );
    const recovered = await navarch('cluster', 'recover', '--data-dir', b.dataDir, '--compare', a.dataDir);
    expect([recovered.code, recovered.out]).toEqual([0, expect.stringContaining('are refused')]);
    b.start(...flags);
    await rolesAre(b, ['b']);
    expect((await get(b, 'only on b and c')).kvs).toHaveLength(1);
    expect((await get(b, 'kept')).header?.revision ?? 0n).toBeGreaterThan(BigInt(before) + 1_000_000n);
    // An old member meets the new cluster at its peer's address, and each stays by itself.
    c.start(...flags);
    await until('c is refused', () => (c.output.includes('this is cluster') ? true : undefined));
    await rolesAre(b, ['b']);
    await c.end('SIGKILL');
    expect(await navarch('member', 'repair', '--data-dir', c.dataDir, '--endpoints', b.endpoint)).toMatchObject({
      code: 0,
    });
    c.start(...flags);
    await rolesAre(b, ['b', 'c']);
    expect((await get(c, 'only on b and c')).kvs).toHaveLength(1);
    // An empty directory founds nothing beside the cluster that was recovered.
    await c.end('SIGKILL');
    rmSync(c.dataDir, { recursive: true });
    c.start(...flags);
    expect(await c.ends()).toBe(3);
    expect(c.output).toContain('was recovered from a survivor and lives');
  });

  it('elect nobody while their peer ports are flooded with garbage', async () => {
    const [a, b, c] = await startThree();
    const term = async () =>
      /"term":\s*(\d+)/.exec(a.output.split('\n').findLast((line) => line.includes('"leadership"')) ?? '')?.[1];
    const before = await term();
    const end_ms = systemClock.monotonic() + 5_000;
    const flood = async (port: number) => {
      while (systemClock.monotonic() < end_ms) {
        await new Promise<void>((resolve) => {
          const socket = connectTcp({ host: '127.0.0.1', port }, () => socket.end(randomBytes(16_384)));
          socket.on('error', () => undefined);
          socket.on('close', () => resolve());
          socket.resume();
        });
      }
    };
    await Promise.all([a, b, c].flatMap(({ ports }) => [flood(ports.peer), flood(ports.peer), flood(ports.peer)]));
    expect(before).toBeDefined();
    expect(await term()).toBe(before);
    await put(a, 'after the flood');
  });
});
