/** What the server serves: legacy and aggregated discovery, made from the rows and kept until they change. */
import { createHash } from 'node:crypto';
import type { Kind, SubresourceFacts } from '../../../apimachinery/kind.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import { mediaRanges } from './negotiate.js';

export interface Document {
  readonly contentType: string;
  readonly json: Buffer;
  readonly etag?: string;
}

export class Discovery {
  readonly #scheme: MutableScheme;
  readonly #documents = new Map<string, Document>();
  #generation = 0;

  readonly #serverAddress: string;

  /** `serverAddress`: host and port at which clients reach this server. */
  constructor(scheme: MutableScheme, serverAddress: string) {
    this.#scheme = scheme;
    this.#serverAddress = serverAddress;
  }

  /** Every group and version that is served, as a path of its own. */
  paths(): string[] {
    const groups = this.#groups().flatMap(({ group, versions }) => {
      const root = group === '' ? '/api' : `/apis/${group}`;
      return [root, ...versions.map((version) => `${root}/${version}`)];
    });
    return ['/apis', '/apis/', ...groups];
  }

  /** Undefined: the path is none of discovery's. */
  find(path: string, accept: string): Document | undefined {
    if (this.#generation !== this.#scheme.generation) {
      this.#documents.clear();
      this.#generation = this.#scheme.generation;
    }
    const clean = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    const aggregated = clean === '/api' || clean === '/apis' ? aggregatedVersion(accept) : undefined;
    const key = `${clean} ${aggregated ?? ''}`;
    let document = this.#documents.get(key);
    if (document === undefined) {
      document = aggregated === undefined ? this.#legacy(clean) : this.#aggregated(clean, aggregated);
      if (document !== undefined) this.#documents.set(key, document);
    }
    return document;
  }

  #aggregated(path: string, version: string): Document {
    const core = path === '/api';
    const groups = this.#groups().filter(({ group }) => (group === '') === core);
    const json = Buffer.from(
      JSON.stringify({
        kind: 'APIGroupDiscoveryList',
        apiVersion: `apidiscovery.k8s.io/${version}`,
        metadata: {},
        items: groups.map(({ group, versions }) => ({
          metadata: { ...(core ? {} : { name: group }), creationTimestamp: null },
          versions: versions.map((one) => ({
            version: one,
            freshness: 'Current',
            resources: this.#scheme.ofGroupVersion(group, one).map(aggregatedResource),
          })),
        })),
      }),
    );
    return {
      contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      json,
      etag: `"${createHash('sha512').update(json).digest('hex').toUpperCase()}"`,
    };
  }

  #legacy(path: string): Document | undefined {
    const [, root, group, version, ...rest] = path.split('/');
    if (rest.length > 0) return undefined;
    if (root === 'api') {
      if (group === undefined)
        return document({
          kind: 'APIVersions',
          versions: ['v1'],
          serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: this.#serverAddress }],
        });
      return version === undefined ? this.#resources('', group) : undefined;
    }
    if (root !== 'apis') return undefined;
    if (group === undefined) {
      return document({
        kind: 'APIGroupList',
        apiVersion: 'v1',
        groups: this.#groups()
          .filter((one) => one.group !== '')
          .map(legacyGroup),
      });
    }
    if (version !== undefined) return this.#resources(group, version);
    const found = group === '' ? undefined : this.#groups().find((one) => one.group === group);
    return found === undefined ? undefined : document({ kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(found) });
  }

  #resources(group: string, version: string): Document | undefined {
    const kinds = this.#scheme.ofGroupVersion(group, version);
    if (kinds.length === 0) return undefined;
    return document({
      kind: 'APIResourceList',
      ...(group === '' ? {} : { apiVersion: 'v1' }),
      groupVersion: apiVersionOf({ group, version }),
      resources: kinds.flatMap((kind) => [
        { ...legacyResource(kind), ...this.#storageVersion(kind) },
        ...kind.subresources.map((sub) => legacySubresource(kind, sub)),
      ]),
    });
  }

  /** Changes when objects are stored in another version (KEP-1480's hash). Absent where nothing is stored. */
  #storageVersion(kind: Kind): { readonly storageVersionHash?: string } {
    if (!kind.verbs.includes('create') || !kind.verbs.includes('get')) return {};
    // Events of events.k8s.io are stored as those of the core.
    const stored =
      this.#scheme
        .kinds()
        .find((other) => other.storagePrefix === kind.storagePrefix && other.conversion === undefined) ?? kind;
    const digest = createHash('sha256').update(`${stored.group}/${kind.storageVersion}/${kind.kind}`).digest();
    return { storageVersionHash: digest.subarray(0, 8).toString('base64') };
  }

  /** Groups with their versions, preferred first. */
  #groups(): readonly { readonly group: string; readonly versions: readonly string[] }[] {
    const groups = new Map<string, Set<string>>();
    for (const { group, version } of this.#scheme.kinds()) {
      const versions = groups.get(group) ?? new Set();
      groups.set(group, versions.add(version));
    }
    return [...groups].map(([group, versions]) => ({ group, versions: [...versions] }));
  }
}

/** `v2` or `v2beta1` when the client asks for the aggregated form before the legacy one. */
function aggregatedVersion(accept: string): string | undefined {
  for (const { type, params } of mediaRanges(accept)) {
    if (type !== 'application/json') continue;
    if (params.get('as') !== 'APIGroupDiscoveryList') return undefined;
    const version = params.get('v');
    if (params.get('g') === 'apidiscovery.k8s.io' && (version === 'v2' || version === 'v2beta1')) return version;
  }
  return undefined;
}

function aggregatedResource(kind: Kind): object {
  return {
    resource: kind.resource,
    responseKind: gvk(kind),
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
    ...(kind.subresources.length === 0
      ? {}
      : {
          subresources: kind.subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: gvk(sub.kind),
            verbs: sub.verbs,
          })),
        }),
  };
}

const gvk = ({ group, version, kind }: { group: string; version: string; kind: string }) => ({ group, version, kind });

function legacyGroup({ group, versions }: { readonly group: string; readonly versions: readonly string[] }): object {
  const entries = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: entries, preferredVersion: entries[0] };
}

function legacyResource(kind: Kind): object {
  return {
    name: kind.resource,
    singularName: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: kind.verbs,
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
  };
}

function legacySubresource(kind: Kind, sub: SubresourceFacts): object {
  const foreign = sub.kind.group !== kind.group || sub.kind.version !== kind.version;
  return {
    name: `${kind.resource}/${sub.name}`,
    singularName: '',
    namespaced: kind.namespaced,
    kind: sub.kind.kind,
    verbs: sub.verbs,
    ...(foreign ? { group: sub.kind.group, version: sub.kind.version } : {}),
  };
}

function document(value: object): Document {
  return { contentType: 'application/json', json: Buffer.from(JSON.stringify(value)) };
}
