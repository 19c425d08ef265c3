/** How packets get from one node's pods to another's. A backend says what the kernel should hold; it runs nothing. */
import { parseCidr, vtepMac } from './address.js';
import type { KernelState } from './kernel-state.js';
import type { Peer } from './peers.js';

export interface Backend {
  readonly name: 'vxlan' | 'host-gw';
  /** Bytes that it adds to each packet. */
  readonly overhead: number;
  /** The device that it needs, with the arguments of `ip link add NAME`; undefined: none. */
  device(self: Peer, underlay: Underlay): Device | undefined;
  /** Routes, neighbours and forwarding entries for these peers; never for `self`. */
  state(self: Peer, peers: Iterable<Peer>): KernelState;
}

/** The link that carries the node's own address. */
export interface Underlay {
  readonly dev: string;
  readonly mtu: number;
}

export interface Device {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** As `10.244.1.0/32`. */
  readonly address: string;
  /** What follows `ip link add NAME address MAC mtu N`. */
  readonly kind: readonly string[];
  /** What must be found in `ip -j -d link show` for the device to be the one wanted. */
  readonly data: Readonly<Record<string, unknown>>;
}

export const VXLAN_DEVICE = 'nv-vxlan';
const VXLAN_ID = 1;
const VXLAN_PORT = 8472;
/** Outer Ethernet, IPv4, UDP and VXLAN headers: 14 + 20 + 8 + 8. */
const VXLAN_OVERHEAD = 50;

const networkOf = (peer: Peer): string => parseCidr(peer.podCIDR)?.network ?? '';

/**
 * A tunnel to every peer. Each is reached by one route to its pods, one neighbour entry for the route's gateway (the
 * network's own address, which no pod has), and one forwarding entry from that hardware address to the peer: nothing is
 * learned, nothing is flooded.
 */
export const vxlan: Backend = {
  name: 'vxlan',
  overhead: VXLAN_OVERHEAD,
  device: (self, underlay) => ({
    name: VXLAN_DEVICE,
    mac: vtepMac(self.address),
    mtu: underlay.mtu - VXLAN_OVERHEAD,
    address: `${networkOf(self)}/32`,
    kind: [
      'type',
      'vxlan',
      'id',
      String(VXLAN_ID),
      'dstport',
      String(VXLAN_PORT),
      'local',
      self.address,
      'dev',
      underlay.dev,
      'nolearning',
    ],
    data: { id: VXLAN_ID, port: VXLAN_PORT, local: self.address, link: underlay.dev, learning: false },
  }),
  state(self, peers) {
    const state = {
      routes: new Map<string, string>(),
      neighbours: new Map<string, string>(),
      forwarding: new Map<string, string>(),
    };
    for (const peer of peers) {
      if (peer.name === self.name) continue;
      const gateway = networkOf(peer);
      const mac = vtepMac(peer.address);
      state.routes.set(peer.podCIDR, `via ${gateway} dev ${VXLAN_DEVICE} onlink`);
      state.neighbours.set(`${gateway} dev ${VXLAN_DEVICE}`, mac);
      state.forwarding.set(`${mac} dev ${VXLAN_DEVICE}`, peer.address);
    }
    return state;
  },
};

/** Plain routes by way of the peers themselves: for nodes that share one link. Peers out of reach get no route. */
export function hostGateway(dev: string): Backend {
  return {
    name: 'host-gw',
    overhead: 0,
    device: () => undefined,
    state(self, peers) {
      const routes = new Map<string, string>();
      for (const peer of peers) if (peer.name !== self.name) routes.set(peer.podCIDR, `via ${peer.address} dev ${dev}`);
      return { routes, neighbours: new Map(), forwarding: new Map() };
    },
  };
}
