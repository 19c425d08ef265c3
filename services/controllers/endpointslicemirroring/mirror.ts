/** From Endpoints that a user wrote to the EndpointSlices that say the same (KEP-752, mirroring). Pure functions. */
import ipaddr from 'ipaddr.js';
import type {
  Endpoint,
  EndpointAddress,
  EndpointPort,
  EndpointPortDiscoveryV1,
  EndpointSlice,
  EndpointSubset,
} from '../../../apimachinery/gen/types.js';
import { equalJson } from '../lib/equal.js';

/** Of one subset; the rest is not mirrored. */
export const ADDRESSES_PER_SUBSET_MAX = 1000;

export type AddressType = 'IPv4' | 'IPv6';

/** What one slice is to hold. */
export interface MirroredGroup {
  readonly addressType: AddressType;
  readonly ports: readonly EndpointPortDiscoveryV1[];
  readonly endpoints: readonly Endpoint[];
}

export interface Mirrored {
  readonly groups: readonly MirroredGroup[];
  /** Addresses that are no IP address. */
  readonly invalid: number;
  /** Addresses beyond the limit. */
  readonly surplus: number;
}

interface Member {
  readonly address: EndpointAddress;
  readonly ready: boolean;
}

/** A subset of no ports says so by one port that is none. */
const NO_PORT = '';

/** Ports that serve the same addresses belong together, whatever subsets they came in; not ready trumps ready. */
function repacked(
  subsets: readonly EndpointSubset[],
): { readonly ports: EndpointPort[]; readonly members: Member[] }[] {
  const byPort = new Map<string, { readonly port: EndpointPort | undefined; readonly members: Map<string, Member> }>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    for (const port of ports.length === 0 ? [undefined] : ports) {
      const id =
        port === undefined
          ? NO_PORT
          : JSON.stringify([port.name ?? '', port.port, port.protocol ?? 'TCP', port.appProtocol ?? '']);
      const entry = byPort.get(id) ?? { port, members: new Map<string, Member>() };
      byPort.set(id, entry);
      const add = (address: EndpointAddress, ready: boolean) => {
        const key = `${address.ip} ${address.targetRef?.uid ?? ''}`;
        if (entry.members.get(key)?.ready !== false) entry.members.set(key, { address, ready });
      };
      for (const address of addresses) add(address, true);
      for (const address of notReadyAddresses) add(address, false);
    }
  }
  const groups = new Map<string, { readonly ports: EndpointPort[]; readonly members: Member[] }>();
  for (const [id, { port, members }] of [...byPort].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const sorted = [...members].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const set = `${id === NO_PORT ? 'without' : 'with'} ${JSON.stringify(sorted.map(([key, { ready }]) => [key, ready]))}`;
    const group = groups.get(set) ?? { ports: [], members: sorted.map(([, member]) => member) };
    groups.set(set, group);
    if (port !== undefined) group.ports.push(port);
  }
  return [...groups.values()];
}

/** Groups with the same ports and type are one: there is one slice for each. */
export function mirroredGroups(subsets: readonly EndpointSubset[]): Mirrored {
  const groups = new Map<
    string,
    { readonly addressType: AddressType; readonly ports: EndpointPortDiscoveryV1[]; readonly endpoints: Endpoint[] }
  >();
  let [invalid, surplus] = [0, 0];
  for (const { ports, members } of repacked(subsets)) {
    const slicePorts = ports.map(portOf);
    let room = ADDRESSES_PER_SUBSET_MAX;
    for (const { address, ready } of members.toSorted((a, b) => Number(b.ready) - Number(a.ready))) {
      const endpoint = room === 0 ? undefined : endpointOf(address, ready);
      if (endpoint === undefined) {
        if (room === 0) surplus++;
        else invalid++;
        continue;
      }
      room--;
      const addressType = endpoint.addresses[0]?.includes(':') === true ? 'IPv6' : 'IPv4';
      const id = JSON.stringify([addressType, slicePorts]);
      const group = groups.get(id) ?? { addressType, ports: slicePorts, endpoints: [] };
      groups.set(id, group);
      if (group.endpoints.length < ADDRESSES_PER_SUBSET_MAX) group.endpoints.push(endpoint);
    }
  }
  return { groups: [...groups.values()], invalid, surplus };
}

interface SlicePlan {
  /** Without a slice a new one is made. */
  readonly write: readonly { readonly group: MirroredGroup; readonly slice: EndpointSlice | undefined }[];
  readonly remove: readonly EndpointSlice[];
}

/**
 * A slice for each group: the one with its ports, or one whose ports are wanted no more, which is filled anew. The type
 * of a slice's addresses cannot be changed.
 */
export function planSlices(existing: readonly EndpointSlice[], groups: readonly MirroredGroup[]): SlicePlan {
  const unused = new Set(existing);
  const take = (fits: (slice: EndpointSlice) => boolean) => {
    const found = [...unused].find(fits);
    if (found !== undefined) unused.delete(found);
    return found;
  };
  const sameType =
    ({ addressType }: MirroredGroup) =>
    (slice: EndpointSlice) =>
      slice.addressType === addressType;
  const own = groups.map((group) =>
    take((slice) => sameType(group)(slice) && equalJson(slice.ports ?? [], group.ports)),
  );
  const write = groups.map((group, i) => ({ group, slice: own[i] ?? take(sameType(group)) }));
  return { write, remove: [...unused] };
}

function portOf({ name, port, protocol, appProtocol }: EndpointPort): EndpointPortDiscoveryV1 {
  return { name: name ?? '', port, protocol: protocol ?? 'TCP', ...(appProtocol === undefined ? {} : { appProtocol }) };
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint | undefined {
  if (!ipaddr.isValid(ip)) return undefined;
  const parsed = ipaddr.process(ip);
  return {
    addresses: [parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString()],
    conditions: { ready },
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
