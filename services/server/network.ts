/** The addresses inside a cluster: one place for what services, pods, DNS and certificates agree on. */
import ipaddr from 'ipaddr.js';

export interface ClusterNetwork {
  /** Pods, IPv4 CIDR. */
  readonly clusterCidr: string;
  /** Prefix length of one node's part of it. */
  readonly nodeBits: number;
  /** Services, IPv4 CIDR. */
  readonly serviceCidr: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly clusterDomain: string;
}

export const DEFAULT_NETWORK: ClusterNetwork = {
  clusterCidr: '10.244.0.0/16',
  nodeBits: 24,
  serviceCidr: '10.96.0.0/12',
  nodePorts: { first: 30_000, last: 32_767 },
  clusterDomain: 'cluster.local',
};

function serviceAddress(network: ClusterNetwork, offset: number): string {
  const octets = [...ipaddr.IPv4.networkAddressFromCIDR(network.serviceCidr).octets];
  octets[3] = (octets[3] ?? 0) + offset;
  return octets.join('.');
}

/** The first address: the Service `kubernetes` in `default`, through which pods reach the API servers. */
export const apiServiceAddress = (network: ClusterNetwork) => serviceAddress(network, 1);

/** The tenth: the cluster's DNS. */
export const dnsServiceAddress = (network: ClusterNetwork) => serviceAddress(network, 10);
