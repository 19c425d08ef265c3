/**
 * Cluster IPs and node ports of Services, claimed by keys of their own (see claims.ts). Values chosen by the server
 * come from the upper part of the range, so that the lower stays free for explicit ones (KEP-3070).
 */
import ipaddr from 'ipaddr.js';
import { ipAddresses, services } from '../../../apimachinery/gen/resources.js';
import type { Service } from '../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { validateClusterIPs } from '../../../apimachinery/kinds/core/validate-cluster-ips.js';
import { complaintsOf } from '../../../apimachinery/kinds/lib/complaints.js';
import { apiErrors, fieldErrors, type FieldError } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type { ObjectReader, WriteChange, WriteGuard, WriteHook } from '../ports.js';
import { changeClaims } from './claims.js';
import { releaseAddress, takeAddress, type AddressParts } from './ip-address.js';
import { familyErrors, fillFamilies } from './ip-families.js';
import { chooseNodePorts, portsOf } from './node-ports.js';

export interface ServiceClaimsOptions {
  readonly reader: ObjectReader;
  readonly random: Random;
  /** IPv4 CIDR, as `10.96.0.0/12`. */
  readonly serviceCidr: string;
  /** Both ends belong to the range. */
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly clock: Clock;
  /** Of the storage keys of IPAddress objects, with the slash at its end. */
  readonly addressPrefix: string;
}

const IP_CLAIMS = '/navarch/claims/serviceips/';
const PORT_CLAIMS = '/navarch/claims/nodeports/';
/** So often a lost race is taken for bad luck; an explicit value is then reported as taken. */
const ATTEMPTS_MAX = 8;
const KIND = { group: '', kind: 'Service' };

export class ServiceClaims implements WriteHook {
  readonly #options: ServiceClaimsOptions;
  readonly #firstAddress: number;
  readonly #size: number;

  constructor(options: ServiceClaimsOptions) {
    this.#options = options;
    const [address, bits] = ipaddr.IPv4.parseCIDR(options.serviceCidr);
    this.#firstAddress = toNumber(ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/${bits}`).toString());
    this.#size = 2 ** (32 - bits);
  }

  async before(change: WriteChange): Promise<WriteGuard> {
    const old = change.old === undefined ? new Set<string>() : claimsOf(change.old as Service);
    const service = change.draft as Service;
    const owner = `${service.metadata?.namespace ?? ''}/${service.metadata?.name ?? ''}`;
    if (change.operation === 'DELETE')
      return this.#withAddresses(changeClaims(claimsOf(service), new Set(), owner).guard, {
        before: service,
        after: undefined,
      });
    keepAddress(service, change.old as Service | undefined);
    if (!sameFamilies(service, change.old)) {
      for (const errors of [addressErrors(service, change.old), familyErrors(service)]) {
        if (errors.length > 0) throw apiErrors.invalid(KIND, service.metadata?.name ?? '', errors);
      }
    }
    this.#chooseAddress(service, change);
    this.#choosePorts(service, change);
    if (service.spec !== undefined) fillFamilies(service.spec);
    const { taken, guard } = changeClaims(old, claimsOf(service), owner);
    if (change.attempt >= ATTEMPTS_MAX) throw this.#alreadyAllocated(service, taken);
    return this.#withAddresses(guard, { before: change.old as Service | undefined, after: service });
  }

  /** With the IPAddress objects that come and go with the claims. */
  #withAddresses(
    guard: WriteGuard,
    { before, after }: { readonly before: Service | undefined; readonly after: Service | undefined },
  ): WriteGuard {
    const { clock, random, addressPrefix: prefix } = this.#options;
    const parts: AddressParts = { prefix, clock, random };
    const [old, now] = [addressOf(before), addressOf(after)];
    if (old === now) return guard;
    const taken =
      now === undefined
        ? undefined
        : takeAddress(parts, now, { namespace: after?.metadata?.namespace ?? '', name: after?.metadata?.name ?? '' });
    return {
      compare: [...guard.compare, ...(taken?.compare ?? [])],
      ops: [...guard.ops, ...(taken?.ops ?? []), ...(old === undefined ? [] : [releaseAddress(parts, old)])],
    };
  }

  #chooseAddress(service: Service, change: WriteChange): void {
    const spec = service.spec ?? {};
    if (spec.type === 'ExternalName' || spec.clusterIP === 'None') return;
    const before = (change.old as Service | undefined)?.spec;
    const keeps = before !== undefined && before.type !== 'ExternalName';
    if ((spec.clusterIP ?? '') === '') spec.clusterIP = this.#freeAddress();
    // An address that changes is refused by validation; nothing is taken for it.
    else if (!keeps) this.#checkAddress(service, spec.clusterIP ?? '');
    spec.clusterIPs = [spec.clusterIP ?? ''];
    service.spec = spec;
  }

  #checkAddress(service: Service, address: string): void {
    const complain = (why: string) =>
      apiErrors.invalid(KIND, service.metadata?.name ?? '', [fieldErrors.invalid('spec.clusterIPs', [address], why)]);
    const offset = toNumber(address) - this.#firstAddress;
    if (offset < 1 || offset >= this.#size - 1) {
      throw complain(
        `failed to allocate IP ${address}: the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.#options.serviceCidr}`,
      );
    }
    if (this.#usedAddresses().has(address))
      throw complain(`failed to allocate IP ${address}: provided IP is already allocated`);
  }

  #freeAddress(): string {
    const used = this.#usedAddresses();
    const usable = this.#size - 2;
    // Lower band: at most 256 addresses, at least 16, a sixteenth of the range (KEP-3070).
    const band = Math.min(Math.max(16, Math.floor(this.#size / 16)), 256, usable - 1);
    const pick = (from: number, count: number): string | undefined => {
      const start = this.#options.random.int(count);
      for (let i = 0; i < count; i++) {
        const address = toAddress(this.#firstAddress + 1 + from + ((start + i) % count));
        if (!used.has(address)) return address;
      }
      return undefined;
    };
    const found = pick(band, usable - band) ?? pick(0, band);
    if (found === undefined) throw apiErrors.internal('failed to allocate a serviceIP: range is full');
    return found;
  }

  #usedAddresses(): Set<string> {
    const list = this.#options.reader.list(services) as readonly Service[];
    const reserved = this.#options.reader.list(ipAddresses).map(({ metadata }) => metadata?.name ?? '');
    return new Set([...list.map((service) => service.spec?.clusterIP ?? ''), ...reserved]);
  }

  #choosePorts(service: Service, change: WriteChange): void {
    const { nodePorts: range, random } = this.#options;
    const before = (change.old as Service | undefined)?.spec;
    chooseNodePorts(service, { range, random, before, used: this.#usedPorts(service) });
  }

  #usedPorts(except: Service): Set<number> {
    const used = new Set<number>();
    for (const service of this.#options.reader.list(services) as readonly Service[]) {
      const same =
        service.metadata?.name === except.metadata?.name && service.metadata?.namespace === except.metadata?.namespace;
      if (same) continue;
      for (const port of portsOf(service.spec)) used.add(port);
    }
    return used;
  }

  #alreadyAllocated(service: Service, taken: readonly string[]): Error {
    const key = taken[0] ?? '';
    const value = key.slice(key.lastIndexOf('/') + 1);
    const errors = key.startsWith(IP_CLAIMS)
      ? [
          fieldErrors.invalid(
            'spec.clusterIPs',
            [value],
            `failed to allocate IP ${value}: provided IP is already allocated`,
          ),
        ]
      : [fieldErrors.invalid('spec.ports', Number(value), 'provided port is already allocated')];
    return apiErrors.invalid(KIND, service.metadata?.name ?? '', errors);
  }
}

/** An update that leaves the address out, or sets it to nothing, means the one there is; `None` too. */
function keepAddress({ spec }: Service, old: Service | undefined): void {
  if (
    spec === undefined ||
    spec.type === 'ExternalName' ||
    (spec.clusterIP ?? '') !== '' ||
    old?.spec?.clusterIP === undefined
  )
    return;
  spec.clusterIP = old.spec.clusterIP;
  spec.clusterIPs = [...(old.spec.clusterIPs ?? [old.spec.clusterIP])];
}

/** What does not fit together is refused before anything is looked for. */
function addressErrors(service: Service, old: KubeObject | undefined): FieldError[] {
  const { spec = {} } = service;
  return complaintsOf((complaints) => validateClusterIPs(complaints, { ...spec }, (old as Service | undefined)?.spec));
}

/** What is stored stays writable, also what would be refused today. */
function sameFamilies({ spec }: Service, old: KubeObject | undefined): boolean {
  const of = (one: Service['spec']) =>
    JSON.stringify([one?.type, one?.ipFamilies, one?.ipFamilyPolicy, one?.clusterIPs]);
  return old !== undefined && of(spec) === of((old as Service).spec);
}

function addressOf(service: Service | undefined): string | undefined {
  const { clusterIP = '' } = service?.spec ?? {};
  return clusterIP === '' || clusterIP === 'None' ? undefined : clusterIP;
}

function claimsOf(service: Service): Set<string> {
  const keys = new Set<string>();
  const address = addressOf(service);
  if (address !== undefined) keys.add(IP_CLAIMS + address);
  for (const port of portsOf(service.spec)) keys.add(PORT_CLAIMS + String(port));
  return keys;
}

function toNumber(address: string): number {
  return ipaddr.IPv4.parse(address).octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
