/**
 * What operators and machines get wrong with `navarch server`: a data directory in use, of another cluster, of another
 * member; a port in use; a full disk; words it does not know. Each ends with a message that says what to do and the
 * right exit code, harms nothing that runs, and loses nothing that was acknowledged.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { configMaps } from '../apimachinery/gen/resources.js';
import { freePorts } from '../platform/free-ports.js';
import type { Client } from '../sdk/client.js';
import { connect } from '../sdk/grpc/connect.js';
import { Child } from './lib/child.js';
import { Kubectl, findKubectl } from './lib/kubectl.js';
import { missing } from './lib/requirements.js';
import { adminTls, CLI, navarch } from './lib/up-cluster.js';
import { until } from './lib/until.js';
import { Writer } from './lib/writers.js';

const noRoot = missing('a full disk', ['root']);
const EXIT_MS_MAX = 20_000;

async function listening(port = 0): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function ownPorts(): Promise<readonly [number, number, number]> {
  const [api = 0, grpc = 0, peer = 0] = await freePorts(3);
  return [api, grpc, peer];
}

interface Flags {
  readonly dataDir: string;
  readonly name?: string;
  readonly pkiDir?: string;
  readonly ports?: readonly [number, number, number];
}

async function argsOf({ dataDir, name = 'm1', pkiDir, ports }: Flags): Promise<string[]> {
  const [api, grpc, peer] = ports ?? (await ownPorts());
  return [
    'server',
    '--name',
    name,
    '--data-dir',
    dataDir,
    '--advertise-address',
    '127.0.0.1',
    '--listen-address',
    '127.0.0.1',
    '--api-port',
    String(api),
    '--grpc-port',
    String(grpc),
    '--peer-port',
    String(peer),
    ...(pkiDir === undefined ? [] : ['--pki-dir', pkiDir]),
  ];
}

/** A member of its own, in the foreground, and the administrator's client for it. */
class Member {
  readonly #child: Child;
  readonly client: Client;
  readonly ports: readonly [number, number, number];

  private constructor(child: Child, client: Client, ports: readonly [number, number, number]) {
    this.#child = child;
    this.client = client;
    this.ports = ports;
  }

  static async start(flags: Flags): Promise<Member> {
    const ports = flags.ports ?? (await ownPorts());
    const child = new Child(process.execPath, [CLI, ...(await argsOf({ ...flags, ports }))]);
    try {
      await until(
        'the member to be ready',
        () => {
          if (child.code !== undefined) throw new Error(`it ended with ${child.code}`);
          return child.stderr.includes('"ready"') || child.stdout.includes('"ready"');
        },
        { timeout_ms: 30_000, show: () => Promise.resolve(child.stderr.slice(-3000)) },
      );
      const kubeconfig = join(flags.dataDir, 'kubeconfig.test');
      const { stdout } = await navarch([
        'kubeconfig',
        '--pki-dir',
        flags.pkiDir ?? join(flags.dataDir, 'pki'),
        '--server',
        `https://127.0.0.1:${ports[0]}`,
      ]);
      writeFileSync(kubeconfig, stdout, { mode: 0o600 });
      return new Member(
        child,
        await connect({ endpoints: [`127.0.0.1:${ports[1]}`], tls: adminTls(kubeconfig) }),
        ports,
      );
    } catch (error) {
      await child.stop('SIGKILL');
      throw error;
    }
  }

  get code(): number | undefined {
    return this.#child.code;
  }

  get output(): string {
    return this.#child.stderr + this.#child.stdout;
  }

  get pid(): number {
    return this.#child.pid;
  }

  ended(): Promise<number> {
    return this.#child.ended();
  }

  async put(name: string, value: string): Promise<void> {
    await this.client.create(configMaps, { metadata: { name, namespace: 'default' }, data: { value } });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.client.close();
    await this.#child.stop(signal);
  }
}

describe('bad surroundings', () => {
  let directory = '';
  let member: Member;
  let dataDir = '';

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'navarch-bad-'));
    dataDir = join(directory, 'first');
    member = await Member.start({ dataDir });
    await member.put('acknowledged', 'yes');
  });

  afterAll(async () => {
    await member?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** Whatever the other one did: this one lives and has what it acknowledged. */
  afterEach(async () => {
    expect(member.code).toBeUndefined();
    expect((await member.client.get(configMaps, { namespace: 'default', name: 'acknowledged' })).data).toEqual({
      value: 'yes',
    });
  });

  const fails = async (flags: Flags | readonly string[], code: number, message: RegExp) => {
    const result = await navarch('dataDir' in flags ? await argsOf(flags) : flags, { timeout_ms: EXIT_MS_MAX });
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
    expect(result.stderr).not.toMatch(/^ {4}at /m);
  };

  it('a second server on the same data directory: exit 1, and the first is not disturbed', async () => {
    await fails({ dataDir }, 1, /is in use by another process, the member \d+; stop it first/);
  });

  it('a port in use: exit 1 that names the port, for each of the three', async () => {
    const { server, port } = await listening();
    try {
      const free = await ownPorts();
      for (const at of [0, 1, 2]) {
        const ports = free.map((own, i) => (i === at ? port : own)) as unknown as readonly [number, number, number];
        await fails({ dataDir: join(directory, `port-${at}`), ports }, 1, new RegExp(`\\b${port}\\b.*in use`));
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('a data directory of another cluster: exit 3, fenced; of another member: exit 1; both say whose it is', async () => {
    const other = join(directory, 'other');
    const otherMember = await Member.start({ dataDir: other });
    await otherMember.put('kept', 'yes');
    await otherMember.stop();
    await fails({ dataDir: other, pkiDir: join(dataDir, 'pki') }, 3, /belongs to the cluster [0-9a-f]+/);
    await fails({ dataDir: other, name: 'm2' }, 1, /belongs to the member "m1"/);
    const again = await Member.start({ dataDir: other });
    expect((await again.client.get(configMaps, { namespace: 'default', name: 'kept' })).data).toEqual({ value: 'yes' });
    await again.stop();
  });

  it('words it does not know: exit 2 or 1, and help', async () => {
    await fails(['serve'], 1, /unknown command 'serve'.*(\n.*)*server/);
    await fails(['server', '--nmae', 'x'], 1, /unknown option '--nmae'/);
    await fails(
      ['server', '--data-dir', join(directory, 'x'), '--api-port', 'http'],
      2,
      /--api-port must be a port from 1 to 65535, not "http"/,
    );
    await fails(['up', '--data-dir', join(directory, 'x'), '--members', '2'], 2, /--members must be odd/);
    await fails(
      [
        'agent',
        '--data-dir',
        join(directory, 'x'),
        '--server',
        `127.0.0.1:${member.ports[1]}`,
        '--token',
        'garbage',
        '--name',
        'w9',
      ],
      2,
      /not a join token/,
    );
    await fails(['status', '--data-dir', join(directory, 'nothing')], 1, /no cluster runs from/);
  });

  it('a join token of another cluster: exit 1, and no word is said to that cluster', async () => {
    const otherPki = join(directory, 'other-pki');
    expect((await navarch(['pki', 'init', '--pki-dir', otherPki])).code).toBe(0);
    const token = (await navarch(['token', '--member', '--pki-dir', otherPki])).stdout
      .trim()
      .replace(/\.member\..*/, '.worker.abcdef.0123456789abcdef');
    await fails(
      [
        'agent',
        '--data-dir',
        join(directory, 'agent'),
        '--server',
        `127.0.0.1:${member.ports[1]}`,
        '--token',
        token,
        '--name',
        'w9',
        '--runtime',
        'hollow',
      ],
      1,
      /is not the one this token is for/,
    );
  });

  it.skipIf(noRoot.length > 0)(
    'a full disk: writes are refused or the member ends with a message; nothing acknowledged is lost',
    async () => {
      const disk = join(directory, 'disk');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=192m', 'navarch-test', disk]);
      try {
        const full = await Member.start({ dataDir: disk });
        const writer = new Writer('full', (name, value) => full.put(name, value + 'x'.repeat(200_000)));
        await until('the first refusal', () => writer.failures.length > 0 || full.code !== undefined, {
          timeout_ms: 60_000,
        });
        await writer.stop();
        expect(writer.acknowledged.length).toBeGreaterThan(10);
        process.stderr.write(
          `full disk: after ${writer.acknowledged.length} writes: ${writer.failures[0]?.slice(0, 200) ?? ''}; the member ${full.code === undefined ? 'lives' : `ended with ${full.code}`}\n`,
        );
        if (full.code === undefined) {
          expect((await full.client.get(configMaps, { namespace: 'default', name: 'full-0' })).data?.['value']).toMatch(
            /^value of full-0/,
          );
        } else {
          expect(full.code).toBe(1);
          expect(full.output).toMatch(/disk.*full|ENOSPC|no space/i);
        }
        await full.stop(full.code === undefined ? 'SIGKILL' : 'SIGTERM');
        execFileSync('mount', ['-o', 'remount,size=512m', disk]);
        const after = await Member.start({ dataDir: disk });
        const { items } = await after.client.list(configMaps, { namespace: 'default' });
        const found = new Map(
          items.map(({ metadata, data }) => [metadata?.name ?? '', (data?.['value'] ?? '').replace(/x+$/, '')]),
        );
        expect(writer.lost(found)).toEqual([]);
        await after.put('room-again', 'yes');
        await after.stop();
      } finally {
        execFileSync('umount', ['-l', disk]);
      }
    },
  );

  it.skipIf(findKubectl() === undefined)(
    'kubectl with the kubeconfig of another cluster: it trusts nobody it should not',
    async () => {
      const otherPki = join(directory, 'foreign-pki');
      await navarch(['pki', 'init', '--pki-dir', otherPki]);
      const { stdout } = await navarch([
        'kubeconfig',
        '--pki-dir',
        otherPki,
        '--server',
        `https://127.0.0.1:${member.ports[0]}`,
      ]);
      const path = join(directory, 'foreign-kubeconfig');
      writeFileSync(path, stdout, { mode: 0o600 });
      const kubectl = new Kubectl(findKubectl() ?? '', path);
      try {
        const { code, stderr } = await kubectl.run(['get', 'nodes']);
        expect([code, stderr]).toEqual([
          1,
          expect.stringMatching(/certificate signed by unknown authority|failed to verify certificate/),
        ]);
      } finally {
        await kubectl.close();
      }
    },
  );
});
