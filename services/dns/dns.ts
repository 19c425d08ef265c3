/**
 * Cluster DNS, on every node: pods ask their own node, which answers from the caches that the proxy uses too.
 *
 * It listens on the cluster's DNS address itself (10.96.0.10 by default). The overlay puts that address on the loopback
 * device of each node and the proxy leaves it alone, so a question never leaves the node, is not translated, and needs
 * neither a pod nor the proxy to be answered.
 *
 * In: questions over UDP and TCP; Services and EndpointSlices from informers. Out: answers; other names are forwarded
 * to the resolvers of resolv.conf. zone.ts knows what is in the cluster, message.ts the wire, forward.ts the others. It
 * must never answer from caches that are not complete (a name that exists would be denied), answer what is no query, or
 * let those who ask much keep those who ask little from an answer.
 */
import { readFile } from 'node:fs/promises';
import type { Answer, RecordType } from 'dns-packet';
import type { Clock } from '../../platform/clock.js';
import { Containment } from '../../platform/containment.js';
import type { Part } from '../../platform/containment.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service as Runnable } from '../../platform/service.js';
import { endpointSlices, services } from '../../apimachinery/gen/resources.js';
import { SERVICE_NAME_LABEL } from '../../apimachinery/well-known.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { Forwarder, upstreamsOf } from './forward.js';
import type { Upstream } from './forward.js';
import { RCODE, encodeRefusal, encodeResponse, parseQuery } from './message.js';
import type { Query, Rcode, Response } from './message.js';
import { DnsServer } from './server.js';
import { Zone } from './zone.js';
import type { ZoneView } from './zone.js';

export interface DnsOptions {
  /** Started and stopped by whoever composes the worker; shared with the proxy. */
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What faults are counted for, and restarts this service; absent: they are logged. */
  readonly part?: Part;
  /** Where to listen: the cluster's DNS address. It must be this node's (the overlay's `ownAddresses`). */
  readonly address: string;
  /** 53 unless told; 0: any free one. */
  readonly port?: number;
  /** `cluster.local` unless told. */
  readonly domain?: string;
  /** Who is asked for other names; absent: those of `resolvConf`. */
  readonly upstreams?: readonly Upstream[];
  /** `/etc/resolv.conf` unless told. Read once, at the start. */
  readonly resolvConf?: string;
  /** For each upstream, in milliseconds. */
  readonly timeout_ms?: number;
}

export interface Dns extends Runnable {
  readonly port: number;
}

const TTL_S = 5;
const TIMEOUT_MS_DEFAULT = 2000;
const FORWARDS_MAX = 512;
/** Zone transfers and meta types are nobody's business. */
const REFUSED_TYPES: ReadonlySet<string> = new Set(['AXFR', 'IXFR', 'OPT', 'TSIG', 'TKEY']);

export function createDns(options: DnsOptions): Dns {
  return new ClusterDns(options);
}

/** A view on the caches; adds the indexes that it needs. */
function zoneView(informers: InformerFactory): ZoneView & { readonly hasSynced: boolean } {
  const serviceInformer = informers.informer(services);
  const sliceInformer = informers.informer(endpointSlices);
  serviceInformer.addIndex('dns.namespace', (service) => [service.metadata?.namespace ?? '']);
  serviceInformer.addIndex('dns.address', ({ spec }) => (spec?.clusterIP === undefined ? [] : [spec.clusterIP]));
  sliceInformer.addIndex('dns.service', ({ metadata }) => [
    `${metadata?.namespace ?? ''}/${metadata?.labels?.[SERVICE_NAME_LABEL] ?? ''}`,
  ]);
  sliceInformer.addIndex('dns.address', (slice) => (slice.endpoints ?? []).flatMap(({ addresses }) => addresses));
  return {
    get hasSynced() {
      return serviceInformer.hasSynced && sliceInformer.hasSynced;
    },
    service: (namespace, name) => serviceInformer.lister.getByRef({ namespace, name }),
    slices: (namespace, service) => sliceInformer.lister.byIndex('dns.service', `${namespace}/${service}`),
    hasNamespace: (namespace) => serviceInformer.lister.byIndex('dns.namespace', namespace).length > 0,
    servicesByAddress: (address) => serviceInformer.lister.byIndex('dns.address', address),
    slicesByAddress: (address) => sliceInformer.lister.byIndex('dns.address', address),
  };
}

class ClusterDns implements Dns {
  readonly name = 'dns';
  readonly #options: DnsOptions;
  readonly #view: ReturnType<typeof zoneView>;
  readonly #zone: Zone;
  readonly #server: DnsServer;
  #forwarder: Forwarder | undefined;

  constructor(options: DnsOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#view = zoneView(options.informers);
    this.#zone = new Zone(this.#view, {
      domain: (options.domain ?? 'cluster.local').toLowerCase(),
      ttl_s: TTL_S,
      address: options.address,
    });
    this.#server = new DnsServer({
      address: options.address,
      port: options.port ?? 53,
      part: options.part ?? new Containment({ clock, logger }).part('dns'),
      answer: (message, transport) => this.#answer(message, transport),
    });
  }

  get port(): number {
    return this.#server.port;
  }

  async start(): Promise<void> {
    const { clock, random, address, logger } = this.#options;
    const upstreams =
      this.#options.upstreams ??
      upstreamsOf(await readFile(this.#options.resolvConf ?? '/etc/resolv.conf', 'utf8').catch(() => ''), [address]);
    if (upstreams.length === 0) logger.warn({}, 'no upstream resolvers: names outside the cluster are refused');
    this.#forwarder = new Forwarder({
      upstreams,
      clock,
      random,
      timeout_ms: this.#options.timeout_ms ?? TIMEOUT_MS_DEFAULT,
      concurrency: FORWARDS_MAX,
    });
    await this.#server.start();
  }

  async stop(): Promise<void> {
    this.#forwarder?.close();
    await this.#server.stop();
  }

  async #answer(message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const incoming = parseQuery(message, transport);
    if (incoming.kind === 'ignored') return undefined;
    if (incoming.kind === 'refused') return encodeRefusal(incoming.id, incoming.rcode);
    const { query } = incoming;
    try {
      return encodeResponse(query, await this.#respond(query));
    } catch (error) {
      this.#options.logger.warn(
        { error: String(error), type: query.question.type },
        'a question could not be answered',
      );
      return encodeResponse(query, { rcode: RCODE.SERVFAIL, authoritative: false });
    }
  }

  #respond(query: Query): Promise<Response> | Response {
    const { name, type } = query.question;
    const recordType = type as RecordType;
    if (REFUSED_TYPES.has(type)) return { rcode: RCODE.REFUSED, authoritative: false };
    const found = this.#zone.lookup(name, recordType);
    if (found.kind === 'foreign') return this.#forward(query);
    if (!this.#view.hasSynced) return { rcode: RCODE.SERVFAIL, authoritative: false };
    if (found.kind === 'alias') return this.#follow(found.answers, found.target, recordType);
    if (found.kind === 'missing')
      return { rcode: RCODE.NXDOMAIN, authoritative: true, authorities: [this.#zone.soa()] };
    if (found.answers.length === 0)
      return { rcode: RCODE.NOERROR, authoritative: true, authorities: [this.#zone.soa()] };
    return {
      rcode: RCODE.NOERROR,
      authoritative: true,
      answers: this.#shuffled(found.answers),
      additionals: found.additionals,
    };
  }

  async #forward(query: Query): Promise<Response> {
    if (!query.recursionDesired) return { rcode: RCODE.REFUSED, authoritative: false };
    const forwarded = await this.#forwarder?.ask(query.question);
    if (forwarded === undefined || forwarded.kind === 'none') return { rcode: RCODE.REFUSED, authoritative: false };
    if (forwarded.kind !== 'answer') return { rcode: RCODE.SERVFAIL, authoritative: false };
    const { packet } = forwarded;
    return {
      // The low four bits of the flags; what an upstream says beyond what we know counts as its failure.
      rcode: rcodeOf((packet.flags ?? 0) & 0xf),
      authoritative: false,
      answers: packet.answers ?? [],
      authorities: packet.authorities ?? [],
      additionals: (packet.additionals ?? []).filter((record) => record.type !== 'OPT'),
    };
  }

  /** An alias stands by itself even if nobody can tell where its target leads. */
  async #follow(aliases: readonly Answer[], target: string, type: RecordType): Promise<Response> {
    const forwarded = await this.#forwarder?.ask({ name: target, type, class: 'IN' });
    const more = forwarded?.kind === 'answer' ? (forwarded.packet.answers ?? []) : [];
    return { rcode: RCODE.NOERROR, authoritative: true, answers: [...aliases, ...more] };
  }

  /** Address records in a new order each time: many clients take the first. Aliases keep their place before them. */
  #shuffled(answers: readonly Answer[]): Answer[] {
    const addresses = answers.filter((answer) => answer.type === 'A');
    for (let i = addresses.length - 1; i > 0; i--) {
      const j = this.#options.random.int(i + 1);
      const [a, b] = [addresses[i], addresses[j]];
      if (a !== undefined && b !== undefined) [addresses[i], addresses[j]] = [b, a];
    }
    return [...answers.filter((answer) => answer.type !== 'A'), ...addresses];
  }
}

function rcodeOf(code: number): Rcode {
  return Object.values(RCODE).find((known) => known === code) ?? RCODE.SERVFAIL;
}
