/**
 * From the EndpointSlices of a Service to the subsets of its Endpoints object, the older form of the same. Pure
 * functions.
 */
import type { Endpoint, EndpointAddress, EndpointSlice, EndpointSubset } from '../../../apimachinery/gen/types.js';

/** Larger objects would travel to every watcher with each change of one pod: the rest is left to slices. */
const ADDRESSES_MAX = 1000;

export interface Subsets {
  readonly subsets: EndpointSubset[];
  readonly isTruncated: boolean;
}

/**
 * One subset for each set of ports, sorted, so that what is equal reads equal. Ready addresses are the last to be left
 * out.
 */
export function subsetsOf(slices: readonly EndpointSlice[]): Subsets {
  const groups = new Map<
    string,
    { readonly ports: NonNullable<EndpointSlice['ports']>; readonly endpoints: Endpoint[] }
  >();
  for (const slice of slices) {
    const [ports, endpoints] = [slice.ports ?? [], slice.endpoints ?? []];
    const id = JSON.stringify(ports);
    const group = groups.get(id) ?? { ports, endpoints: [] };
    groups.set(id, group);
    group.endpoints.push(
      ...endpoints.filter((endpoint) => isReady(endpoint) || endpoint.conditions?.terminating !== true),
    );
  }
  const all = [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => group)
    .filter(({ endpoints }) => endpoints.length > 0);
  let room = ADDRESSES_MAX;
  const take = (endpoints: readonly Endpoint[], ready: boolean): EndpointAddress[] => {
    const addresses = endpoints
      .filter((endpoint) => isReady(endpoint) === ready)
      .map(addressOf)
      .toSorted((a, b) => (a.ip < b.ip ? -1 : 1))
      .slice(0, room);
    room -= addresses.length;
    return addresses;
  };
  const ready = all.map(({ endpoints }) => take(endpoints, true));
  const subsets = all
    .map(({ ports, endpoints }, i): EndpointSubset => {
      const addresses = ready[i] ?? [];
      const notReadyAddresses = take(endpoints, false);
      return {
        ...(addresses.length === 0 ? {} : { addresses }),
        ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
        ...(ports.length === 0
          ? {}
          : {
              ports: ports.map(({ port = 0, name, ...rest }) => ({
                ...(name === undefined || name === '' ? {} : { name }),
                port,
                ...rest,
              })),
            }),
      };
    })
    .filter(({ addresses, notReadyAddresses }) => addresses !== undefined || notReadyAddresses !== undefined);
  return { subsets, isTruncated: all.reduce((sum, { endpoints }) => sum + endpoints.length, 0) > ADDRESSES_MAX };
}

/** An endpoint that says nothing is ready (discovery.k8s.io/v1, EndpointConditions). */
const isReady = ({ conditions }: Endpoint) => conditions?.ready !== false;

function addressOf({ addresses, hostname, nodeName, targetRef }: Endpoint): EndpointAddress {
  return {
    ip: addresses[0] ?? '',
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
