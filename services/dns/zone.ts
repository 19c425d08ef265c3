/**
 * What the cluster's zone says (Kubernetes DNS-Based Service Discovery, schema 1.1.0). Pure: a view of Services and
 * EndpointSlices and a question in, an answer out.
 */
import { isIPv4 } from 'node:net';
import type { Answer, RecordType } from 'dns-packet';
import type { EndpointSlice, Service } from '../../apimachinery/gen/types.js';
import { SERVICE_NAME_LABEL } from '../../apimachinery/well-known.js';

/** What the zone looks things up in; each look-up must cost no more than what it returns. */
export interface ZoneView {
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  hasNamespace(namespace: string): boolean;
  /** Services whose ClusterIP it is. */
  servicesByAddress(address: string): readonly Service[];
  /** Slices that have it among their endpoints. */
  slicesByAddress(address: string): readonly EndpointSlice[];
}

export type ZoneAnswer =
  /** No answers: the name exists, but has no records of this type (NODATA). */
  | { readonly kind: 'found'; readonly answers: readonly Answer[]; readonly additionals: readonly Answer[] }
  /** An alias whose target lies outside the cluster: somebody else must be asked for the rest. */
  | { readonly kind: 'alias'; readonly answers: readonly Answer[]; readonly target: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'foreign' };

export interface ZoneOptions {
  /** Without a dot at the end: `cluster.local`. */
  readonly domain: string;
  readonly ttl_s: number;
  /** Of this node's DNS; the zone's own name and name server point there. */
  readonly address: string;
}

const SCHEMA_VERSION = '1.1.0';
/** Aliases of aliases within the cluster, before it is called a loop. */
const ALIAS_DEPTH_MAX = 8;

interface Target {
  /** First label under the service's name: the pod's hostname, or its address with dashes. */
  readonly label: string;
  readonly address: string;
  readonly slice: EndpointSlice;
}

const none: ZoneAnswer = { kind: 'found', answers: [], additionals: [] };
const missing: ZoneAnswer = { kind: 'missing' };

const isHeadless = (service: Service): boolean => service.spec?.clusterIP === 'None';

function slicePortsOf(slice: EndpointSlice): { name: string; protocol: string; port: number }[] {
  return (slice.ports ?? []).flatMap(({ name, protocol, port }) =>
    port === undefined ? [] : [{ name: name ?? '', protocol: (protocol ?? 'TCP').toLowerCase(), port }],
  );
}

export class Zone {
  readonly #view: ZoneView;
  readonly #options: ZoneOptions;

  constructor(view: ZoneView, options: ZoneOptions) {
    this.#view = view;
    this.#options = options;
  }

  /** `name` as it was asked, in any case and without a dot at the end; answers repeat it as it is. */
  lookup(name: string, type: RecordType, depth = 0): ZoneAnswer {
    const lower = name.toLowerCase();
    if (lower.endsWith('.in-addr.arpa')) return this.#reverse(name, lower, type);
    const { domain } = this.#options;
    if (lower === domain) return this.#apex(name, type);
    if (!lower.endsWith(`.${domain}`)) return { kind: 'foreign' };
    const labels = lower.slice(0, -domain.length - 1).split('.');
    const kind = labels.at(-1);
    const rest = labels.slice(0, -1);
    if (kind === 'svc') return this.#service(name, rest, { type, depth });
    if (kind === 'pod') return this.#pod(name, rest, type);
    if (labels.length === 1 && kind === 'dns-version') {
      return type === 'TXT'
        ? this.#records([{ name, type: 'TXT', ttl: this.#options.ttl_s, data: SCHEMA_VERSION }])
        : none;
    }
    if (labels.length === 2 && labels.join('.') === 'ns.dns')
      return this.#addresses(name, [this.#options.address], type);
    return labels.length === 1 && kind === 'dns' ? none : missing;
  }

  /** The record that says how long a negative answer may be kept (RFC 2308): no longer than a positive one. */
  soa(): Answer {
    const { domain, ttl_s } = this.#options;
    return {
      name: domain,
      type: 'SOA',
      ttl: ttl_s,
      data: {
        mname: `ns.dns.${domain}`,
        rname: `hostmaster.${domain}`,
        serial: 1,
        refresh: 7200,
        retry: 1800,
        expire: 86_400,
        minimum: ttl_s,
      },
    };
  }

  #apex(name: string, type: RecordType): ZoneAnswer {
    if (type === 'SOA') return this.#records([{ ...this.soa(), name } as Answer]);
    if (type === 'NS')
      return this.#records([{ name, type: 'NS', ttl: this.#options.ttl_s, data: `ns.dns.${this.#options.domain}` }]);
    return none;
  }

  /** `labels`: what stands before `svc`: [.., service, namespace]. */
  #service(name: string, labels: readonly string[], ask: { type: RecordType; depth: number }): ZoneAnswer {
    const namespace = labels.at(-1);
    const serviceName = labels.at(-2);
    if (namespace === undefined) return none;
    if (serviceName === undefined) return this.#view.hasNamespace(namespace) ? none : missing;
    const service = this.#view.service(namespace, serviceName);
    if (service === undefined) return missing;
    const before = labels.slice(0, -2);
    if (service.spec?.type === 'ExternalName') return before.length > 0 ? missing : this.#external(name, service, ask);
    if (before.length === 0) return this.#ofService(name, service, ask.type);
    if (before.length === 2 && before.every((label) => label.startsWith('_')))
      return this.#ports(name, service, { labels: before, type: ask.type });
    if (before.length === 1 && before[0]?.startsWith('_') === true) {
      const protocols = this.#targetsByPort(service).map((one) => `_${one.protocol}`);
      return protocols.includes(before[0]) ? none : missing;
    }
    if (before.length !== 1 || !isHeadless(service)) return missing;
    const found = this.#endpoints(service).filter((target) => target.label === before[0]);
    return found.length === 0
      ? missing
      : this.#addresses(
          name,
          found.map((target) => target.address),
          ask.type,
        );
  }

  #ofService(name: string, service: Service, type: RecordType): ZoneAnswer {
    if (type === 'SRV') return this.#srv(name, service, () => true);
    if (!isHeadless(service)) return this.#addresses(name, [service.spec?.clusterIP ?? ''], type);
    return this.#addresses(
      name,
      this.#endpoints(service).map((target) => target.address),
      type,
    );
  }

  #external(name: string, service: Service, ask: { type: RecordType; depth: number }): ZoneAnswer {
    const target = (service.spec?.externalName ?? '').replace(/\.$/, '').toLowerCase();
    if (target === '') return none;
    const alias: Answer = { name, type: 'CNAME', ttl: this.#options.ttl_s, data: target };
    if (ask.type === 'CNAME') return this.#records([alias]);
    if (ask.depth >= ALIAS_DEPTH_MAX) return this.#records([alias]);
    const next = this.lookup(target, ask.type, ask.depth + 1);
    if (next.kind === 'foreign') return { kind: 'alias', answers: [alias], target };
    if (next.kind === 'alias') return { ...next, answers: [alias, ...next.answers] };
    return next.kind === 'missing' ? this.#records([alias]) : { ...next, answers: [alias, ...next.answers] };
  }

  /** Ports by which the service is reached: its own, or its endpoints' when it is headless. */
  #targetsByPort(service: Service): { name: string; protocol: string; port: number; label: string; address: string }[] {
    if (!isHeadless(service)) {
      return (service.spec?.ports ?? []).map((port) => ({
        name: port.name ?? '',
        protocol: (port.protocol ?? 'TCP').toLowerCase(),
        port: port.port,
        label: '',
        address: service.spec?.clusterIP ?? '',
      }));
    }
    return this.#endpoints(service).flatMap((target) =>
      slicePortsOf(target.slice).map((port) => ({ ...port, label: target.label, address: target.address })),
    );
  }

  #ports(name: string, service: Service, ask: { labels: readonly string[]; type: RecordType }): ZoneAnswer {
    const [port, protocol] = ask.labels.map((label) => label.slice(1));
    const matches = (one: { name: string; protocol: string }) => one.name === port && one.protocol === protocol;
    if (port === '' || !this.#targetsByPort(service).some(matches)) return missing;
    return ask.type === 'SRV' ? this.#srv(name, service, matches) : none;
  }

  #srv(name: string, service: Service, wanted: (one: { name: string; protocol: string }) => boolean): ZoneAnswer {
    const base = `${service.metadata?.name ?? ''}.${service.metadata?.namespace ?? ''}.svc.${this.#options.domain}`;
    const answers: Answer[] = [];
    const additionals = new Map<string, Answer>();
    for (const one of this.#targetsByPort(service).filter(wanted)) {
      const target = one.label === '' ? base : `${one.label}.${base}`;
      answers.push({
        name,
        type: 'SRV',
        ttl: this.#options.ttl_s,
        data: { priority: 0, weight: 100, port: one.port, target },
      });
      if (isIPv4(one.address))
        additionals.set(`${target} ${one.address}`, {
          name: target,
          type: 'A',
          ttl: this.#options.ttl_s,
          data: one.address,
        });
    }
    return { kind: 'found', answers, additionals: [...additionals.values()] };
  }

  /** `1-2-3-4.namespace.pod`: computed, no pod is looked up. */
  #pod(name: string, labels: readonly string[], type: RecordType): ZoneAnswer {
    if (labels.length === 0) return none;
    const namespace = labels.at(-1) ?? '';
    if (!this.#view.hasNamespace(namespace)) return missing;
    if (labels.length === 1) return none;
    const address = (labels[0] ?? '').replaceAll('-', '.');
    return labels.length === 2 && isIPv4(address) ? this.#addresses(name, [address], type) : missing;
  }

  #reverse(name: string, lower: string, type: RecordType): ZoneAnswer {
    const address = lower.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.');
    if (!isIPv4(address)) return { kind: 'foreign' };
    const { domain, ttl_s } = this.#options;
    const names = new Set(
      this.#view
        .servicesByAddress(address)
        .map((service) => `${service.metadata?.name ?? ''}.${service.metadata?.namespace ?? ''}.svc.${domain}`),
    );
    for (const slice of this.#view.slicesByAddress(address)) {
      const owner = slice.metadata?.labels?.[SERVICE_NAME_LABEL] ?? '';
      const namespace = slice.metadata?.namespace ?? '';
      const service = this.#view.service(namespace, owner);
      if (service === undefined || !isHeadless(service)) continue;
      for (const target of this.#endpoints(service)) {
        if (target.address === address) names.add(`${target.label}.${owner}.${namespace}.svc.${domain}`);
      }
    }
    // Addresses of others may be known to others.
    if (names.size === 0) return { kind: 'foreign' };
    return type === 'PTR' ? this.#records([...names].map((data) => ({ name, type: 'PTR', ttl: ttl_s, data }))) : none;
  }

  /** The addresses of a headless service that may be told: ready ones, or all if it asks for that. Each once. */
  #endpoints(service: Service): Target[] {
    const namespace = service.metadata?.namespace ?? '';
    const found = new Map<string, Target>();
    for (const slice of this.#view.slices(namespace, service.metadata?.name ?? '')) {
      if (slice.addressType !== 'IPv4') continue;
      for (const endpoint of slice.endpoints ?? []) {
        if (service.spec?.publishNotReadyAddresses !== true && endpoint.conditions?.ready === false) continue;
        const address = endpoint.addresses[0] ?? '';
        if (!isIPv4(address)) continue;
        found.set(address, { address, slice, label: endpoint.hostname?.toLowerCase() ?? address.replaceAll('.', '-') });
      }
    }
    return [...found.values()];
  }

  #addresses(name: string, addresses: readonly string[], type: RecordType): ZoneAnswer {
    if (type !== 'A') return none;
    return this.#records(
      addresses
        .filter((address) => isIPv4(address))
        .map((data) => ({ name, type: 'A', ttl: this.#options.ttl_s, data })),
    );
  }

  #records(answers: readonly Answer[]): ZoneAnswer {
    return { kind: 'found', answers, additionals: [] };
  }
}
