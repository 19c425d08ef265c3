/** The parts of core/v1 Service and discovery.k8s.io/v1 EndpointSlice that the proxy reads. All of it may be missing. */
import type { KubeObject, Resource } from '../../apimachinery/object.js';

export interface ServicePort {
  name?: string;
  protocol?: string;
  port: number;
  nodePort?: number;
}

export interface Service extends KubeObject {
  spec?: {
    type?: string;
    clusterIP?: string;
    clusterIPs?: string[];
    externalIPs?: string[];
    loadBalancerSourceRanges?: string[];
    sessionAffinity?: string;
    internalTrafficPolicy?: string;
    externalTrafficPolicy?: string;
    ports?: ServicePort[];
  };
  status?: { loadBalancer?: { ingress?: { ip?: string; ipMode?: string }[] } };
}

export interface Endpoint {
  addresses: string[];
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  nodeName?: string;
}

export interface EndpointSlice extends KubeObject {
  addressType?: string;
  endpoints?: Endpoint[];
  ports?: { name?: string; protocol?: string; port?: number }[];
}

export const services: Resource<Service> = { group: '', version: 'v1', resource: 'services', kind: 'Service', namespaced: true };
export const endpointSlices: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices', kind: 'EndpointSlice', namespaced: true,
};

/** The label by which an EndpointSlice names its Service (KEP-0752). */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Services with this label belong to another proxy (KEP-2447). */
export const SERVICE_PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
