import fc from 'fast-check';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import type { CommandResult, Executor } from '../../platform/exec.js';
import { silentLogger } from '../../platform/log.js';
import { parseCidr, vtepMac } from './address.js';
import { hostGateway, vxlan } from './backend.js';
import { CNI_FILE, cniConfig, writeCniConfig } from './cni.js';
import { EMPTY_STATE, commandsBetween, parseState } from './kernel-state.js';
import type { KernelState } from './kernel-state.js';
import { createOverlay } from './overlay.js';
import { peerOf } from './peers.js';
import type { Peer, PeerListener } from './peers.js';

const peer = (n: number): Peer => ({ name: `n${n}`, address: `198.18.0.${n}`, podCIDR: `10.244.${n}.0/24` });

describe('addresses', () => {
  it.each([
    '10.244.1.0/33',
    '10.244.1.1/24',
    '10.244.1/24',
    '::/0',
    '10.244.1.0/24; reboot',
    '10.244.1.0',
    '300.0.0.0/8',
    '0.0.0.0/0',
  ])('no network: %s', (text) => expect(parseCidr(text)).toBeUndefined());

  it("of tunnels follow from the node's, locally administered", () =>
    expect(vtepMac('198.18.0.21')).toBe('0e:4e:c6:12:00:15'));
});

describe('peerOf', () => {
  const node = (podCIDR: string | undefined, address: string) => ({
    metadata: { name: 'n' },
    spec: podCIDR === undefined ? {} : { podCIDR },
    status: { addresses: [{ type: 'InternalIP', address }] },
  });
  it('needs a subnet and an address, both well-formed', () => {
    expect(peerOf(node('10.244.1.0/24', '198.18.0.1'))).toEqual({
      name: 'n',
      address: '198.18.0.1',
      podCIDR: '10.244.1.0/24',
    });
    for (const bad of [
      node(undefined, '198.18.0.1'),
      node('10.244.1.0/24', 'host'),
      node('10.244.1.0/24\nlink delete eth0', '198.18.0.1'),
    ]) {
      expect(peerOf(bad)).toBeUndefined();
    }
  });
});

describe('commands', () => {
  it('give a peer its way, and take it again', () => {
    const state = vxlan.state(peer(1), [peer(1), peer(2)]);
    expect(commandsBetween(EMPTY_STATE, state)).toEqual({
      bridge: ['fdb replace 0e:4e:c6:12:00:02 dev nv-vxlan dst 198.18.0.2 self permanent'],
      ip: [
        'neighbour replace 10.244.2.0 dev nv-vxlan lladdr 0e:4e:c6:12:00:02 nud permanent',
        'route replace 10.244.2.0/24 via 10.244.2.0 dev nv-vxlan onlink protocol 78',
      ],
    });
    expect(commandsBetween(state, EMPTY_STATE)).toEqual({
      bridge: ['fdb delete 0e:4e:c6:12:00:02 dev nv-vxlan self'],
      ip: ['route delete 10.244.2.0/24 protocol 78', 'neighbour delete 10.244.2.0 dev nv-vxlan'],
    });
    expect(commandsBetween(state, state)).toEqual({ bridge: [], ip: [] });
  });

  it('of host-gw are routes alone', () => {
    expect(commandsBetween(EMPTY_STATE, hostGateway('eth0').state(peer(1), [peer(1), peer(2)]))).toEqual({
      bridge: [],
      ip: ['route replace 10.244.2.0/24 via 198.18.0.2 dev eth0 protocol 78'],
    });
  });

  it('between any two sets of peers touch only those that differ', () => {
    const some = fc.uniqueArray(fc.integer({ min: 2, max: 20 }));
    fc.assert(
      fc.property(some, some, (before, after) => {
        const state = (list: number[]): KernelState => vxlan.state(peer(1), list.map(peer));
        const { ip } = commandsBetween(state(before), state(after));
        const differ = new Set([...before, ...after].filter((n) => before.includes(n) !== after.includes(n)));
        expect(ip).toHaveLength(differ.size * 2);
      }),
    );
  });
});

it('what iproute2 prints is understood', () => {
  expect(
    parseState({
      dev: 'nv-vxlan',
      routes:
        '[{"dst":"10.244.2.0/24","gateway":"10.244.2.0","dev":"nv-vxlan","flags":["onlink"]},{"dst":"10.96.0.0/12","dev":"lo","scope":"link","prefsrc":"198.18.0.1","flags":[]}]',
      neighbours: '[{"dst":"10.244.2.0","lladdr":"0e:4e:c6:12:00:02","state":["PERMANENT"]}]',
      forwarding:
        '[{"mac":"0e:4e:c6:12:00:02","ifname":"nv-vxlan","dst":"198.18.0.2","flags":["self"],"state":"permanent"},{"mac":"33:33:00:00:00:01","flags":["self"],"state":"permanent"}]',
    }),
  ).toEqual({
    routes: new Map([
      ['10.244.2.0/24', 'via 10.244.2.0 dev nv-vxlan onlink'],
      ['10.96.0.0/12', 'dev lo src 198.18.0.1'],
    ]),
    neighbours: new Map([['10.244.2.0 dev nv-vxlan', '0e:4e:c6:12:00:02']]),
    forwarding: new Map([['0e:4e:c6:12:00:02 dev nv-vxlan', '198.18.0.2']]),
  });
});

describe('with a folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'navarch-cni-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('the CNI configuration is written once, and only when it says something new', async () => {
    const options = {
      confDir: join(folder, 'conf'),
      dataDir: join(folder, 'data'),
      podCIDR: '10.244.1.0/24',
      mtu: 1450,
    };
    expect(await writeCniConfig(options)).toBe(true);
    expect(await writeCniConfig(options)).toBe(false);
    expect(await writeCniConfig({ ...options, podCIDR: '10.244.2.0/24' })).toBe(true);
    expect(await readdir(options.confDir)).toEqual([CNI_FILE]);
    expect(JSON.parse(await readFile(join(options.confDir, CNI_FILE), 'utf8'))).toEqual(
      cniConfig({ ...options, podCIDR: '10.244.2.0/24' }),
    );
  });

  it('the overlay waits for peers and its own subnet, writes deltas, and mends what somebody removed', async () => {
    const clock = new VirtualClock();
    const batches: string[] = [];
    const refuse = new Set<string>();
    const answers: Record<string, string> = {
      'ip -j -4 address': '[{},{"ifname":"eth0","mtu":1500,"addr_info":[{"local":"198.18.0.1"}]}]',
      'ip -j -4 route': '[]',
      'ip -j -4 neighbour': '[]',
      'bridge -j fdb show': '[]',
    };
    const executor: Executor = {
      run: (command, args, options) => {
        const line = [command, ...args].join(' ');
        if (options?.stdin !== undefined) batches.push(...options.stdin.trim().split('\n'));
        const result: CommandResult = {
          code: line.startsWith('ip -j -d link') || refuse.has(command) ? 1 : 0,
          stdout: '',
          stderr: '',
        };
        return Promise.resolve({
          ...result,
          stdout: Object.entries(answers).find(([key]) => line.startsWith(key))?.[1] ?? '',
        });
      },
    };
    let listener: PeerListener | undefined;
    const overlay = createOverlay({
      nodeName: 'n1',
      executor,
      clock,
      logger: silentLogger,
      serviceCIDR: '10.96.0.0/12',
      ownAddresses: ['10.96.0.10'],
      cni: { confDir: join(folder, 'conf'), dataDir: join(folder, 'data') },
      source: {
        run: (to, signal) =>
          new Promise((resolve) => {
            listener = to;
            signal.addEventListener('abort', () => resolve());
          }),
      },
    });
    await overlay.start();
    const settle = async () => {
      for (let i = 0; i < 20; i++) {
        await clock.advance(1);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    expect(batches).toEqual(['link set lo up', 'address replace 10.96.0.10/32 dev lo scope host']);
    batches.length = 0;
    listener?.upsert(peer(2));
    await settle();
    expect(batches).toEqual([]);
    listener?.synced();
    listener?.upsert(peer(1));
    await settle();
    await overlay.whenReady();
    expect(batches).toEqual([
      'link add nv-vxlan address 0e:4e:c6:12:00:01 mtu 1450 type vxlan id 1 dstport 8472 local 198.18.0.1 dev eth0 nolearning',
      'address add 10.244.1.0/32 dev nv-vxlan',
      'link set nv-vxlan up',
      'link set lo up',
      'address replace 10.96.0.10/32 dev lo scope host',
      'fdb replace 0e:4e:c6:12:00:02 dev nv-vxlan dst 198.18.0.2 self permanent',
      'neighbour replace 10.244.2.0 dev nv-vxlan lladdr 0e:4e:c6:12:00:02 nud permanent',
      'route replace 10.244.2.0/24 via 10.244.2.0 dev nv-vxlan onlink protocol 78',
      'route replace 10.96.0.0/12 dev lo src 198.18.0.1 protocol 78',
    ]);
    batches.length = 0;
    listener?.upsert(peer(3));
    await settle();
    expect(batches.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      'fdb replace 0e:4e:c6:12:00:03',
      'neighbour replace 10.244.3.0',
      'route replace 10.244.3.0/24',
    ]);
    batches.length = 0;
    await clock.advance(30_000);
    await settle();
    expect(batches.filter((line) => line.startsWith('route replace'))).toHaveLength(3);
    refuse.add('bridge');
    batches.length = 0;
    listener?.remove('n2');
    await settle();
    refuse.clear();
    await clock.advance(1000);
    await settle();
    expect(batches).toContain('route replace 10.244.3.0/24 via 10.244.3.0 dev nv-vxlan onlink protocol 78');
    await overlay.stop();
  });
});
