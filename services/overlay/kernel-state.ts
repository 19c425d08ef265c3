/**
 * What the overlay keeps in the kernel, as a map from what an entry is about to what it says; and the commands that
 * lead from one such state to another. Pure.
 */

export interface KernelState {
  /** `10.244.2.0/24` -> `via 10.244.2.0 dev nv-vxlan onlink`. */
  readonly routes: ReadonlyMap<string, string>;
  /** `10.244.2.0 dev nv-vxlan` -> hardware address. */
  readonly neighbours: ReadonlyMap<string, string>;
  /** `0e:4e:... dev nv-vxlan` -> address of the node behind it. */
  readonly forwarding: ReadonlyMap<string, string>;
}

/** Marks our routes (`ip route` protocol number), so that only they are ever compared and deleted. */
export const ROUTE_PROTOCOL = 78;

export const EMPTY_STATE: KernelState = { routes: new Map(), neighbours: new Map(), forwarding: new Map() };

/** Lines for `ip -batch -` and `bridge -batch -`. */
export interface Commands {
  readonly ip: readonly string[];
  readonly bridge: readonly string[];
}

function changes(
  actual: ReadonlyMap<string, string>,
  desired: ReadonlyMap<string, string>,
): { set: [string, string][]; gone: string[] } {
  return {
    set: [...desired].filter(([key, value]) => actual.get(key) !== value),
    gone: [...actual.keys()].filter((key) => !desired.has(key)),
  };
}

/** New ways come before the routes that use them; routes go before the ways they use. */
export function commandsBetween(actual: KernelState, desired: KernelState): Commands {
  const routes = changes(actual.routes, desired.routes);
  const neighbours = changes(actual.neighbours, desired.neighbours);
  const forwarding = changes(actual.forwarding, desired.forwarding);
  return {
    bridge: [
      ...forwarding.set.map(([key, to]) => `fdb replace ${key} dst ${to} self permanent`),
      ...forwarding.gone.map((key) => `fdb delete ${key} self`),
    ],
    ip: [
      ...neighbours.set.map(([key, mac]) => `neighbour replace ${key} lladdr ${mac} nud permanent`),
      ...routes.gone.map((key) => `route delete ${key} protocol ${ROUTE_PROTOCOL}`),
      ...routes.set.map(([key, way]) => `route replace ${key} ${way} protocol ${ROUTE_PROTOCOL}`),
      ...neighbours.gone.map((key) => `neighbour delete ${key}`),
    ],
  };
}

interface RouteRow {
  readonly dst?: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly prefsrc?: string;
  readonly flags?: string[];
}
interface NeighbourRow {
  readonly dst?: string;
  readonly lladdr?: string;
  readonly state?: string[];
}
interface ForwardingRow {
  readonly mac?: string;
  readonly dst?: string;
  readonly state?: string;
}

/**
 * Reads what `ip -j route show protocol N`, `ip -j neighbour show dev D nud permanent` and `bridge -j fdb show dev D`
 * print.
 */
export function parseState(output: {
  readonly routes: string;
  readonly neighbours: string;
  readonly forwarding: string;
  readonly dev: string;
}): KernelState {
  const rows = <T>(text: string): T[] => (text.trim() === '' ? [] : (JSON.parse(text) as T[]));
  const routes = new Map<string, string>();
  for (const { dst, gateway, dev, prefsrc, flags } of rows<RouteRow>(output.routes)) {
    if (dst === undefined) continue;
    const way = [
      gateway && `via ${gateway}`,
      dev && `dev ${dev}`,
      flags?.includes('onlink') === true && 'onlink',
      prefsrc && `src ${prefsrc}`,
    ];
    routes.set(dst, way.filter((part) => typeof part === 'string' && part !== '').join(' '));
  }
  const neighbours = new Map<string, string>();
  for (const { dst, lladdr } of rows<NeighbourRow>(output.neighbours)) {
    if (dst !== undefined && lladdr !== undefined) neighbours.set(`${dst} dev ${output.dev}`, lladdr);
  }
  const forwarding = new Map<string, string>();
  for (const { mac, dst, state } of rows<ForwardingRow>(output.forwarding)) {
    if (mac !== undefined && dst !== undefined && state === 'permanent')
      forwarding.set(`${mac} dev ${output.dev}`, dst);
  }
  return { routes, neighbours, forwarding };
}
