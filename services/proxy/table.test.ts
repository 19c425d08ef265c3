import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EndpointSlice, Service } from '../../apimachinery/gen/types.js';
import { conntrackArgs, strayFlows } from './conntrack.js';
import { frontendsOf } from './frontends.js';
import type { Backend, Frontend } from './frontends.js';
import { deltaText, fullText } from './nft-text.js';
import { CLIENT_SLOTS, clientSlots, randomSlots } from './slots.js';
import { ProxyTable } from './table.js';
import type { Element } from './table.js';
import { Transaction } from './transaction.js';

const context = { nodeName: 'n1', ownAddresses: new Set(['10.96.0.10']) };
const backend = (n: number, local = false): Backend => ({ address: `10.244.0.${n}`, port: 8080, local });

function service(spec: Partial<NonNullable<Service['spec']>> = {}): Service {
  return {
    metadata: { name: 's', namespace: 'd' },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'web', port: 80 }], ...spec },
  };
}

function slice(endpoints: NonNullable<EndpointSlice['endpoints']>, port = 8080): EndpointSlice {
  return { metadata: { name: 's-1', namespace: 'd' }, addressType: 'IPv4', ports: [{ name: 'web', port }], endpoints };
}

const at = (address: string, conditions: object = { ready: true }, nodeName = 'n1') => ({
  addresses: [address],
  conditions,
  nodeName,
});

describe('frontendsOf', () => {
  it('takes ready endpoints, and those that still serve only when there are no others (KEP-1669)', () => {
    const ending = at('10.244.0.2', { ready: false, serving: true, terminating: true });
    const both = frontendsOf(service(), [slice([at('10.244.0.1'), ending])], context);
    expect(both[0]?.backends.map((b) => b.address)).toEqual(['10.244.0.1']);
    const alone = frontendsOf(service(), [slice([ending, at('10.244.0.3', { ready: false })])], context);
    expect(alone[0]?.backends.map((b) => b.address)).toEqual(['10.244.0.2']);
  });

  it('joins slices, drops repeats, and matches ports by name', () => {
    const other: EndpointSlice = { ...slice([at('10.244.0.9')]), ports: [{ name: 'other', port: 9 }] };
    const [frontend] = frontendsOf(
      service(),
      [slice([at('10.244.0.1')]), slice([at('10.244.0.1'), at('10.244.0.2')]), other],
      context,
    );
    expect(frontend?.backends.map((b) => b.address)).toEqual(['10.244.0.1', '10.244.0.2']);
  });

  it('keeps to this node where the policy says so, and drops rather than rejects when others have endpoints', () => {
    const spec = {
      internalTrafficPolicy: 'Local',
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'web', port: 80, nodePort: 30080 }],
    };
    const here = frontendsOf(service(spec), [slice([at('10.244.0.1'), at('10.244.1.1', {}, 'n2')])], context);
    expect(here.map((f) => [f.backends.length, f.masquerade])).toEqual([
      [1, false],
      [1, false],
    ]);
    const elsewhere = frontendsOf(service(spec), [slice([at('10.244.1.1', {}, 'n2')])], context);
    expect(elsewhere.map((f) => [f.backends.length, f.empty])).toEqual([
      [0, 'drop'],
      [0, 'drop'],
    ]);
    expect(frontendsOf(service(spec), [], context).map((f) => f.empty)).toEqual(['reject', 'reject']);
  });

  it('masquerades what comes from outside under policy Cluster', () => {
    const spec = { externalIPs: ['192.0.2.1'], ports: [{ name: 'web', port: 80, nodePort: 30080 }] };
    expect(frontendsOf(service(spec), [], context).map((f) => [f.at.kind, f.masquerade])).toEqual([
      ['address', false],
      ['address', true],
      ['nodePort', true],
    ]);
  });

  it.each([
    ['headless', { clusterIP: 'None' }],
    ['external name', { type: 'ExternalName' }],
    ['not yet allocated', { clusterIP: '' }],
    ['answered by the node itself', { clusterIP: '10.96.0.10' }],
    ['not an address', { clusterIP: '10.96.0.1 }; flush ruleset; {' }],
    ['no such port', { ports: [{ name: 'web', port: 70000 }] }],
    ['no such protocol', { ports: [{ name: 'web', port: 1, protocol: 'SCTP' }] }],
  ])('makes no frontend: %s', (_name, spec) => {
    expect(frontendsOf(service(spec), [slice([at('10.244.0.1')])], context)).toEqual([]);
  });

  it('leaves out endpoints whose address is not one', () => {
    const [frontend] = frontendsOf(
      service(),
      [slice([at('10.244.0.1 } ; delete table'), at('::1')]), slice([at('10.244.0.1')], 0)],
      context,
    );
    expect(frontend?.backends).toEqual([]);
  });
});

describe('slots', () => {
  const arbitraryBackends = fc
    .uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 12 })
    .map((list) => list.map((n) => backend(n)));

  it('hold each backend once, and change no more of them than backends did', () => {
    fc.assert(
      fc.property(arbitraryBackends, arbitraryBackends, (before, after) => {
        const first = randomSlots([], before);
        const second = randomSlots(first, after);
        expect(new Set(second.map((b) => b.address))).toEqual(new Set(after.map((b) => b.address)));
        expect(second).toHaveLength(after.length);
        const left = before.filter((b) => !after.some((a) => a.address === b.address)).length;
        const came = after.length - (before.length - left);
        const moved = second.filter((b, i) => first[i] !== undefined && first[i]?.address !== b.address).length;
        expect(moved).toBeLessThanOrEqual(left + came);
      }),
    );
  });

  it('of clients move only when their own backend goes', () => {
    const four = clientSlots([1, 2, 3, 4].map((n) => backend(n)));
    const three = clientSlots([1, 2, 3].map((n) => backend(n)));
    expect(four).toHaveLength(CLIENT_SLOTS);
    for (const [slot, was] of four.entries()) if (was.address !== '10.244.0.4') expect(three[slot]).toEqual(was);
    for (const n of [1, 2, 3, 4])
      expect(four.filter((b) => b.address === `10.244.0.${n}`).length).toBeGreaterThan(CLIENT_SLOTS / 16);
  });
});

const frontend = (backends: Backend[], more: Partial<Frontend> = {}): Frontend => ({
  at: { kind: 'address', address: '10.96.0.1', protocol: 'tcp', port: 80 },
  backends,
  balance: 'random',
  masquerade: false,
  empty: 'reject',
  ...more,
});

/** What the kernel does with a change; throws where it would refuse. */
function applyTo(
  kernel: Map<string, string | undefined>,
  change: { removed: readonly Element[]; added: readonly Element[] },
): void {
  for (const { set, key } of change.removed)
    if (!kernel.delete(`${set}|${key}`)) throw new Error(`not there: ${set} ${key}`);
  for (const { set, key, data } of change.added) {
    if (kernel.has(`${set}|${key}`)) throw new Error(`exists: ${set} ${key}`);
    kernel.set(`${set}|${key}`, data);
  }
}

describe('ProxyTable', () => {
  it('changes only the elements of what changed', () => {
    const table = new ProxyTable();
    for (let i = 0; i < 1000; i++) {
      table.set(`d/s${i}`, [
        frontend([backend(1), backend(2), backend(3)], {
          at: { kind: 'address', address: `10.97.${i >> 8}.${i & 255}`, protocol: 'tcp', port: 80 },
        }),
      ]);
    }
    const change = table.set('d/s7', [
      frontend([backend(1), backend(3)], { at: { kind: 'address', address: '10.97.0.7', protocol: 'tcp', port: 80 } }),
    ]);
    expect(change.removed.map((e) => `${e.set} ${e.key}`)).toEqual([
      'services 10.97.0.7 . tcp . 80',
      'tcp-slots 10.97.0.7 . 80 . 1',
      'tcp-slots 10.97.0.7 . 80 . 2',
    ]);
    expect(change.added.map((e) => `${e.key} : ${e.data ?? ''}`)).toEqual([
      '10.97.0.7 . tcp . 80 : goto tcp-random-2',
      '10.97.0.7 . 80 . 1 : 10.244.0.3 . 8080',
    ]);
    expect(change.draws.map((d) => d.slots)).toEqual([2]);
  });

  it('gives an address that two services ask for to the first, and to the second when the first is gone', () => {
    const table = new ProxyTable();
    table.set('d/a', [frontend([backend(1)])]);
    expect(table.set('d/b', [frontend([backend(2)])]).added).toEqual([]);
    expect(table.set('d/a', []).freed).toEqual(['d/b']);
    expect(table.set('d/b', [frontend([backend(2)])]).added).toHaveLength(2);
  });

  it('counts hairpins over services', () => {
    const table = new ProxyTable();
    const other = { at: { kind: 'nodePort', protocol: 'tcp', port: 30080 } } as const;
    const hairpins = (elements: readonly Element[]) => elements.filter((e) => e.set === 'hairpins').length;
    expect(hairpins(table.set('d/a', [frontend([backend(1, true)])]).added)).toBe(1);
    expect(hairpins(table.set('d/b', [frontend([backend(1, true)], other)]).added)).toBe(0);
    expect(hairpins(table.set('d/a', []).removed)).toBe(0);
    expect(hairpins(table.set('d/b', []).removed)).toBe(1);
  });

  it('any history, in transactions of any size, ends in what would be written anew', () => {
    const step = fc.record({
      service: fc.integer({ min: 0, max: 3 }),
      backends: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 5 }),
      port: fc.constantFrom(80, 81),
      balance: fc.constantFrom('random' as const, 'client' as const),
      gone: fc.boolean(),
      commit: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const table = new ProxyTable();
        const kernel = new Map<string, string | undefined>();
        let transaction = new Transaction();
        for (const { service: n, backends, port, balance, gone, commit } of steps) {
          const address = { kind: 'address', address: `10.96.0.${n >> 1}`, protocol: 'udp', port } as const;
          transaction.add(
            table.set(
              `d/s${n}`,
              gone
                ? []
                : [
                    frontend(
                      backends.map((b) => backend(b, b < 3)),
                      { at: address, balance },
                    ),
                  ],
            ),
          );
          if (!commit) continue;
          applyTo(kernel, transaction);
          transaction = new Transaction();
        }
        applyTo(kernel, transaction);
        expect(Object.fromEntries(kernel)).toEqual(
          Object.fromEntries(table.contents().elements.map((e) => [`${e.set}|${e.key}`, e.data])),
        );
      }),
    );
  });
});

describe('UDP flows', () => {
  const udp = { at: { kind: 'address', address: '10.96.0.1', protocol: 'udp', port: 53 } } as const;

  it('are forgotten when their backend goes, and when the first one comes', () => {
    const table = new ProxyTable();
    expect(
      table.set('d/a', [frontend([backend(1), backend(2)], udp)]).stale.map((f) => conntrackArgs(f).join(' ')),
    ).toEqual(['-D -f ipv4 -p udp --orig-port-dst 53 --orig-dst 10.96.0.1']);
    expect(table.set('d/a', [frontend([backend(2)], udp)]).stale.map((f) => conntrackArgs(f).join(' '))).toEqual([
      '-D -f ipv4 -p udp --orig-port-dst 53 --orig-dst 10.96.0.1 --dst-nat 10.244.0.1',
    ]);
    expect(table.set('d/a', [frontend([backend(2), backend(3)], udp)]).stale).toEqual([]);
  });

  it('that go astray are found in a listing', () => {
    const line = (answerer: string, dport = 53) =>
      `udp      17 29 src=10.244.1.5 dst=10.96.0.1 sport=4000 dport=${dport} src=${answerer} dst=10.244.1.5 sport=8080 dport=4000 mark=0 use=1`;
    const listing = [line('10.244.0.1'), line('10.244.0.2'), line('10.244.0.2', 99), 'garbage', ''].join('\n');
    const stray = strayFlows(listing, new Map([['10.96.0.1 . udp . 53', new Set(['10.244.0.1 . 8080'])]]));
    expect(stray.map((args) => args.join(' '))).toEqual([
      '-D -f ipv4 -p udp --orig-src 10.244.1.5 --orig-dst 10.96.0.1 --orig-port-src 4000 --orig-port-dst 53',
    ]);
  });
});

describe('nft text', () => {
  it('of a change names chains before the elements that lead to them', () => {
    const table = new ProxyTable();
    const text = deltaText('t', table.set('d/a', [frontend([backend(1)], { masquerade: true })]));
    expect(text).toBe(
      [
        'add chain ip t masq-tcp-random-1',
        'flush chain ip t masq-tcp-random-1',
        'add rule ip t masq-tcp-random-1 meta mark set meta mark or 0x4000',
        'add rule ip t masq-tcp-random-1 dnat ip to ip daddr . tcp dport . numgen random mod 1 map @tcp-slots',
        'add element ip t services { 10.96.0.1 . tcp . 80 : goto masq-tcp-random-1 }',
        'add element ip t tcp-slots { 10.96.0.1 . 80 . 0 : 10.244.0.1 . 8080 }',
        '',
      ].join('\n'),
    );
  });

  it('of everything begins by replacing the table', () => {
    const text = fullText(
      { table: 't', clusterCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/12' },
      { elements: [], draws: [] },
    );
    expect(text.split('\n').slice(0, 3)).toEqual(['add table ip t', 'delete table ip t', 'table ip t {']);
  });
});
