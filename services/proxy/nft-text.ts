/**
 * The table as text for `nft -f -`: one file is one transaction of the kernel. Only addresses, ports and names made
 * here come into the text, all of them checked before.
 */
import type { Protocol } from './frontends.js';
import { drawName, slotSet } from './table.js';
import type { Draw, Element, SetName } from './table.js';

export interface TableConfig {
  /** Name of the table; family ip. */
  readonly table: string;
  /**
   * Addresses of all pods, as `10.244.0.0/16`: others come to Services masqueraded, pods leave the cluster masqueraded.
   */
  readonly clusterCIDR: string;
  /** Addresses of all ClusterIPs, as `10.96.0.0/12`. */
  readonly serviceCIDR: string;
}

/**
 * Bit of the packet mark that says "masquerade me": set before the translation and taken off again where it is obeyed.
 * The same bit as kube-proxy's, so that what is configured around it goes on working.
 */
const MASQUERADE_MARK = '0x4000';

/**
 * Declares a map of slots. What draws the slot has the same type whatever its modulus. The types are written with the
 * protocol's own `dport`: with `th dport`, nft 1.0.6 refuses rules that use the map in any later transaction.
 */
const slotMap = (name: SetName, key: string, protocol: Protocol): string =>
  `map ${name} { typeof ${key}${protocol} dport . numgen random mod 65536 : ip daddr . ${protocol} dport; }`;

const SETS: Readonly<Record<SetName, string>> = {
  services: 'map services { type ipv4_addr . inet_proto . inet_service : verdict; }',
  'node-ports': 'map node-ports { type inet_proto . inet_service : verdict; }',
  'tcp-slots': slotMap('tcp-slots', 'ip daddr . ', 'tcp'),
  'udp-slots': slotMap('udp-slots', 'ip daddr . ', 'udp'),
  'node-tcp-slots': slotMap('node-tcp-slots', '', 'tcp'),
  'node-udp-slots': slotMap('node-udp-slots', '', 'udp'),
  hairpins: 'set hairpins { type ipv4_addr . ipv4_addr; }',
};

const SET_NAMES = Object.keys(SETS) as SetName[];

/** Elements in one statement: nft's own limit on a netlink message makes a million in one statement fail. */
const ELEMENTS_PER_STATEMENT_MAX = 1000;

/** Any constant will do, as long as every node hashes clients alike. */
const HASH_SEED = '0x6e617661';

/** The rules of the chain that draws a slot. */
function drawRules(draw: Draw): string[] {
  const key = `${draw.at === 'nodePort' ? '' : 'ip daddr . '}${draw.protocol} dport`;
  const slot =
    draw.balance === 'client'
      ? `jhash ip saddr mod ${draw.slots} seed ${HASH_SEED}`
      : `numgen random mod ${draw.slots}`;
  return [
    ...(draw.masquerade ? [`meta mark set meta mark or ${MASQUERADE_MARK}`] : []),
    `dnat ip to ${key} . ${slot} map @${slotSet(draw)}`,
  ];
}

function* addDraws(table: string, draws: readonly Draw[]): Generator<string> {
  for (const draw of draws) {
    const name = drawName(draw);
    yield `add chain ip ${table} ${name}`;
    yield `flush chain ip ${table} ${name}`;
    for (const rule of drawRules(draw)) yield `add rule ip ${table} ${name} ${rule}`;
  }
}

function* elementStatements(verb: 'add' | 'delete', table: string, elements: readonly Element[]): Generator<string> {
  for (const set of SET_NAMES) {
    const members = elements.filter((element) => element.set === set);
    for (let start = 0; start < members.length; start += ELEMENTS_PER_STATEMENT_MAX) {
      const list = members
        .slice(start, start + ELEMENTS_PER_STATEMENT_MAX)
        .map((element) =>
          verb === 'add' && element.data !== undefined ? `${element.key} : ${element.data}` : element.key,
        );
      yield `${verb} element ip ${table} ${set} { ${list.join(', ')} }`;
    }
  }
}

/**
 * The transaction that replaces whatever the table holds by `elements`. Connections are tracked elsewhere and live on.
 */
export function fullText(
  config: TableConfig,
  contents: { readonly elements: readonly Element[]; readonly draws: readonly Draw[] },
): string {
  const { table, clusterCIDR, serviceCIDR } = config;
  const frame = `table ip ${table} {
  ${Object.values(SETS).join('\n  ')}
  chain do-reject {
    meta l4proto tcp reject with tcp reset
    reject with icmp port-unreachable
  }
  chain do-drop { drop; }
  chain dispatch {
    ip daddr ${serviceCIDR} ip saddr != ${clusterCIDR} meta mark set meta mark or ${MASQUERADE_MARK}
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports
  }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump dispatch; }
  chain output { type nat hook output priority -100; policy accept; jump dispatch; }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark & ${MASQUERADE_MARK} == ${MASQUERADE_MARK} meta mark set meta mark xor ${MASQUERADE_MARK} masquerade fully-random
    ct status dnat ip saddr . ip daddr @hairpins masquerade fully-random
    ip saddr ${clusterCIDR} ip daddr != ${clusterCIDR} ip daddr != 224.0.0.0/4 fib saddr type != local masquerade fully-random
  }
}`;
  return [
    // Adding it first makes the deletion succeed whether it was there or not.
    `add table ip ${table}`,
    `delete table ip ${table}`,
    frame,
    ...addDraws(table, contents.draws),
    ...elementStatements('add', table, contents.elements),
    '',
  ].join('\n');
}

/** The transaction that takes the table from one state to the next. Chains come before elements that lead to them. */
export function deltaText(
  table: string,
  change: {
    readonly removed: readonly Element[];
    readonly added: readonly Element[];
    readonly draws: readonly Draw[];
  },
): string {
  return [
    ...addDraws(table, change.draws),
    ...elementStatements('delete', table, change.removed),
    ...elementStatements('add', table, change.added),
    '',
  ].join('\n');
}
