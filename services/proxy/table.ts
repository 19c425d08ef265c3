/**
 * The desired contents of the nftables table, and how they change. Pure: services in, element changes out.
 *
 * Every frontend is one element in a verdict map, `address . protocol . port -> chain`, and one element for each slot
 * in a data map of the protocol, `address . port . slot -> backend`. The chain only says how to draw a slot, for
 * example at random of three, so services with equally many backends share it. A change therefore touches the elements
 * of one Service and nothing that grows with the number of Services.
 */
import { backendKey, clientSlots, randomSlots } from './slots.js';
import { frontendKey } from './frontends.js';
import type { Backend, Frontend, Protocol } from './frontends.js';

/** How a chain draws a slot. `slots` of 'client' is always CLIENT_SLOTS. */
export interface Draw {
  readonly at: 'address' | 'nodePort';
  readonly protocol: Protocol;
  readonly balance: 'random' | 'client';
  readonly masquerade: boolean;
  readonly slots: number;
}

/** Slots are kept by protocol: nft ties a translation with ports to one protocol. */
export type SetName = 'services' | 'node-ports' | `${Protocol}-slots` | `node-${Protocol}-slots` | 'hairpins';

export interface Element {
  readonly set: SetName;
  readonly key: string;
  /** Absent in the one set that is not a map. */
  readonly data: string | undefined;
}

/** Connections of the kernel's tracking table that would go on to a wrong place (UDP has no end of its own). */
export interface StaleFlow {
  readonly at: Frontend['at'];
  /** The backend that left; absent: all flows to the frontend that were never translated. */
  readonly backend?: string;
}

export interface TableChange {
  readonly removed: readonly Element[];
  readonly added: readonly Element[];
  /** Chains that were not in use before. */
  readonly draws: readonly Draw[];
  readonly stale: readonly StaleFlow[];
  /** Services that waited for an address which has become free: plan them again. */
  readonly freed: readonly string[];
}

interface Held {
  readonly frontend: Frontend;
  readonly slots: readonly Backend[];
}

export function drawName(draw: Draw): string {
  return `${draw.at === 'nodePort' ? 'node-' : ''}${draw.masquerade ? 'masq-' : ''}${draw.protocol}-${draw.balance}-${draw.slots}`;
}

function drawOf({ frontend, slots }: Held): Draw {
  return {
    at: frontend.at.kind,
    protocol: frontend.at.protocol,
    balance: frontend.balance,
    masquerade: frontend.masquerade,
    slots: slots.length,
  };
}

/** The map in which a draw looks up the backend of a slot. */
export function slotSet(draw: Pick<Draw, 'at' | 'protocol'>): SetName {
  return draw.at === 'nodePort' ? `node-${draw.protocol}-slots` : `${draw.protocol}-slots`;
}

function elementsOf(held: Held): Element[] {
  const key = frontendKey(held.frontend.at);
  const verdict = held.slots.length === 0 ? `goto do-${held.frontend.empty}` : `goto ${drawName(drawOf(held))}`;
  const elements: Element[] = [
    { set: held.frontend.at.kind === 'nodePort' ? 'node-ports' : 'services', key, data: verdict },
  ];
  const { at } = held.frontend;
  const set = slotSet({ at: at.kind, protocol: at.protocol });
  const prefix = at.kind === 'nodePort' ? `${at.port}` : `${at.address} . ${at.port}`;
  for (const [slot, backend] of held.slots.entries())
    elements.push({ set, key: `${prefix} . ${slot}`, data: backendKey(backend) });
  return elements;
}

const elementId = (element: Element) => `${element.set}|${element.key}`;

/** Addresses of this node's pods behind the frontends: they may reach themselves. */
function hairpinsOf(held: Iterable<Held>): Set<string> {
  const addresses = new Set<string>();
  for (const { frontend } of held) {
    for (const backend of frontend.backends) if (backend.local) addresses.add(backend.address);
  }
  return addresses;
}

const hairpin = (address: string): Element => ({ set: 'hairpins', key: `${address} . ${address}`, data: undefined });

export class ProxyTable {
  /** Service -> frontend key -> what is held for it. */
  readonly #services = new Map<string, Map<string, Held>>();
  /** Frontend key -> the Service that holds it: two may ask for the same external address, the first one has it. */
  readonly #owners = new Map<string, string>();
  readonly #waiting = new Map<string, Set<string>>();
  /** Address -> number of Services that count it among their own. */
  readonly #hairpins = new Map<string, number>();
  readonly #draws = new Map<string, Draw>();

  /** Makes `frontends` those of `service`; an empty list removes it. */
  set(service: string, frontends: readonly Frontend[]): TableChange {
    const before = this.#services.get(service) ?? new Map<string, Held>();
    const after = new Map<string, Held>();
    for (const frontend of frontends) {
      const id = `${frontend.at.kind}|${frontendKey(frontend.at)}`;
      if (!this.#claim(id, service)) continue;
      const old = before.get(id);
      const kept = old?.frontend.balance === 'random' ? old.slots : [];
      const slots =
        frontend.balance === 'client' ? clientSlots(frontend.backends) : randomSlots(kept, frontend.backends);
      after.set(id, { frontend, slots });
    }
    const freed = this.#release(service, before, after);
    if (after.size === 0) this.#services.delete(service);
    else this.#services.set(service, after);
    const { removed, added } = diff([...before.values()].flatMap(elementsOf), [...after.values()].flatMap(elementsOf));
    this.#countHairpins(hairpinsOf(before.values()), hairpinsOf(after.values()), { removed, added });
    return { removed, added, freed, draws: this.#newDraws(after.values()), stale: staleFlows(before, after) };
  }

  /** Services that the table holds something for. */
  services(): string[] {
    return [...this.#services.keys()];
  }

  /** Everything, for writing the table anew. Chains that are not in use any more are forgotten. */
  contents(): { readonly elements: Element[]; readonly draws: Draw[] } {
    this.#draws.clear();
    const elements: Element[] = [];
    for (const frontends of this.#services.values()) {
      for (const held of frontends.values()) elements.push(...elementsOf(held));
      this.#newDraws(frontends.values());
    }
    for (const address of this.#hairpins.keys()) elements.push(hairpin(address));
    return { elements, draws: [...this.#draws.values()] };
  }

  /** Frontend key -> `address . port` of its backends, for UDP, whose flows must be looked after. */
  udpBackends(): Map<string, Set<string>> {
    const backends = new Map<string, Set<string>>();
    for (const frontends of this.#services.values()) {
      for (const { frontend } of frontends.values()) {
        if (frontend.at.protocol === 'udp')
          backends.set(frontendKey(frontend.at), new Set(frontend.backends.map(backendKey)));
      }
    }
    return backends;
  }

  #claim(id: string, service: string): boolean {
    const owner = this.#owners.get(id);
    if (owner === undefined || owner === service) {
      this.#owners.set(id, service);
      return true;
    }
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(service));
    return false;
  }

  #release(service: string, before: ReadonlyMap<string, Held>, after: ReadonlyMap<string, Held>): string[] {
    const freed: string[] = [];
    for (const id of before.keys()) {
      if (after.has(id)) continue;
      this.#owners.delete(id);
      const waiting = this.#waiting.get(id) ?? [];
      this.#waiting.delete(id);
      for (const next of waiting) if (next !== service) freed.push(next);
    }
    return freed;
  }

  #newDraws(held: Iterable<Held>): Draw[] {
    const fresh: Draw[] = [];
    for (const one of held) {
      if (one.slots.length === 0) continue;
      const draw = drawOf(one);
      if (this.#draws.has(drawName(draw))) continue;
      this.#draws.set(drawName(draw), draw);
      fresh.push(draw);
    }
    return fresh;
  }

  #countHairpins(
    before: ReadonlySet<string>,
    after: ReadonlySet<string>,
    change: { removed: Element[]; added: Element[] },
  ): void {
    for (const address of after) {
      if (before.has(address)) continue;
      const count = this.#hairpins.get(address) ?? 0;
      this.#hairpins.set(address, count + 1);
      if (count === 0) change.added.push(hairpin(address));
    }
    for (const address of before) {
      if (after.has(address)) continue;
      const count = this.#hairpins.get(address) ?? 0;
      if (count > 1) {
        this.#hairpins.set(address, count - 1);
      } else {
        this.#hairpins.delete(address);
        change.removed.push(hairpin(address));
      }
    }
  }
}

/** An element whose data changed is removed and added: within one transaction nobody sees it missing. */
function diff(before: readonly Element[], after: readonly Element[]): { removed: Element[]; added: Element[] } {
  const old = new Map(before.map((element) => [elementId(element), element]));
  const removed: Element[] = [];
  const added: Element[] = [];
  for (const element of after) {
    const was = old.get(elementId(element));
    old.delete(elementId(element));
    if (was?.data === element.data && was !== undefined) continue;
    if (was !== undefined) removed.push(was);
    added.push(element);
  }
  removed.push(...old.values());
  return { removed, added };
}

function staleFlows(before: ReadonlyMap<string, Held>, after: ReadonlyMap<string, Held>): StaleFlow[] {
  const stale: StaleFlow[] = [];
  for (const [id, { frontend }] of before) {
    if (frontend.at.protocol !== 'udp') continue;
    const stay = new Set((after.get(id)?.frontend.backends ?? []).map((backend) => backend.address));
    for (const address of new Set(frontend.backends.map((backend) => backend.address))) {
      if (!stay.has(address)) stale.push({ at: frontend.at, backend: address });
    }
  }
  for (const [id, { frontend }] of after) {
    if (frontend.at.protocol !== 'udp' || frontend.backends.length === 0) continue;
    // Packets that were sent on while there was nobody to translate to left entries that keep later ones from the
    // rules.
    if ((before.get(id)?.frontend.backends.length ?? 0) === 0) stale.push({ at: frontend.at });
  }
  return stale;
}
