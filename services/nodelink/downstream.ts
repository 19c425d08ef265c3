/**
 * What goes down one primary session: the node's pods, and just the objects they refer to. It knows what the worker
 * holds and sends the difference, configuration before the pod that needs it.
 */
import { encodeJsonBytes } from '../../apimachinery/json-value.js';
import type { Node, Pod } from '../../apimachinery/gen/types.js';
import { requiredNodeMatches } from '../../apimachinery/kinds/pod/node-requirements.js';
import type { Part } from '../../platform/containment.js';
import { ObjectKind } from '../../proto/gen/navarch/node/v1/node.js';
import type { KnownObject, SessionResponse } from '../../proto/gen/navarch/node/v1/node.js';
import type { Catalog, CatalogListener } from './catalog.js';
import { referencesOf } from './references.js';

type ConfigKind = 'ConfigMap' | 'Secret';

interface KnownPod {
  readonly namespace: string;
  readonly name: string;
  version: string;
}

const kindOf = (kind: ConfigKind) => (kind === 'Secret' ? ObjectKind.OBJECT_KIND_SECRET : ObjectKind.OBJECT_KIND_CONFIG_MAP);
const configKey = (kind: ConfigKind, namespace: string, name: string) => `${kind}/${namespace}/${name}`;
/** Versions are numbers of one sequence; what is not a number is older than everything. */
const versionOf = (text: string | undefined) => (/^\d+$/.test(text ?? '') ? BigInt(text ?? '0') : 0n);

/** What is asked of the catalog. */
export type NodeCatalog = Pick<Catalog, 'listen' | 'node' | 'podsOf' | 'config' | 'environmentOf' | 'revision'>;

export interface DownstreamOptions {
  readonly node: string;
  readonly catalog: NodeCatalog;
  readonly part: Part;
  send(message: NonNullable<SessionResponse['message']>): void;
  /** The node as the API has it now: the catalog may be behind. Undefined: there is none, or it cannot be read. Never rejects. */
  freshNode(): Promise<Node | undefined>;
}

export class Downstream implements CatalogListener {
  readonly #node: string;
  readonly #catalog: NodeCatalog;
  readonly #send: (message: NonNullable<SessionResponse['message']>) => void;
  readonly #part: Part;
  readonly #pods = new Map<string, KnownPod>();
  /** Version of each object the worker holds; '' when it was told that there is none. */
  readonly #configs = new Map<string, { kind: ConfigKind; namespace: string; name: string; version: string }>();
  /** Uids of pods that wait until the node is known as it is now. */
  readonly #waiting = new Set<string>();
  readonly #freshNode: () => Promise<Node | undefined>;
  #settings = '';
  #synced = false;
  #nodeVersion = 0n;
  #unlisten: (() => void) | undefined;

  constructor(options: DownstreamOptions) {
    this.#node = options.node;
    this.#catalog = options.catalog;
    this.#part = options.part;
    this.#freshNode = () => options.freshNode();
    this.#send = (message) => options.send(message);
  }

  /** Sends what differs from `known`, then every change until `close`. The catalog is not older than the worker's revision. */
  open(known: readonly KnownObject[]): void {
    for (const object of known) {
      const { namespace, name, resourceVersion: version } = object;
      if (object.kind === ObjectKind.OBJECT_KIND_POD) this.#pods.set(object.uid, { namespace, name, version });
      else if (object.kind !== ObjectKind.OBJECT_KIND_UNSPECIFIED) {
        const kind = object.kind === ObjectKind.OBJECT_KIND_SECRET ? 'Secret' : 'ConfigMap';
        this.#configs.set(configKey(kind, namespace, name), { kind, namespace, name, version });
      }
    }
    this.#unlisten = this.#catalog.listen(this.#node, this, this.#part);
    const node = this.#catalog.node(this.#node);
    if (node !== undefined) this.node(node);
    const pods = this.#catalog.podsOf(this.#node);
    const uids = new Set(pods.map((pod) => pod.metadata?.uid ?? ''));
    for (const [uid, pod] of this.#pods) {
      if (!uids.has(uid)) this.#forgetPod(uid, pod.namespace, pod.name);
    }
    for (const pod of pods) this.pod(pod);
    this.#dropUnreferenced();
    this.#sendSynced();
  }

  close(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
  }

  node({ spec, metadata }: Node): void {
    if (versionOf(metadata?.resourceVersion) < this.#nodeVersion) return;
    this.#nodeVersion = versionOf(metadata?.resourceVersion);
    const podCidrs = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
    const node = encodeJsonBytes({ labels: metadata?.labels ?? {}, taints: spec?.taints ?? [] });
    const text = `${podCidrs.join(',')} ${Buffer.from(node).toString('utf8')}`;
    if (text === this.#settings) return;
    this.#settings = text;
    this.#send({ $case: 'nodeSettings', value: { podCidrs: [...podCidrs], node } });
  }

  pod(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    this.#sendConfigs(pod);
    if (this.#pods.has(uid) || this.#suits(pod)) this.#sendPod(pod);
    else this.#sendAfterNode(uid);
  }

  podGone(pod: Pod): void {
    const { uid = '', namespace = '', name = '' } = pod.metadata ?? {};
    if (!this.#pods.has(uid)) return;
    this.#forgetPod(uid, namespace, name);
    this.#dropUnreferenced();
  }

  config(kind: ConfigKind, namespace: string, name: string): void {
    this.#sendConfig(kind, namespace, name);
  }

  #suits(pod: Pod): boolean {
    const node = this.#catalog.node(this.#node);
    return node !== undefined && requiredNodeMatches(pod, { name: this.#node, labels: node.metadata?.labels ?? {} });
  }

  /** Whoever bound a pod that does not suit the node may have seen newer labels than this member: the worker gets those first. */
  #sendAfterNode(uid: string): void {
    if (this.#waiting.has(uid)) return;
    this.#waiting.add(uid);
    this.#part.contain(async () => {
      const node = await this.#freshNode();
      this.#waiting.delete(uid);
      if (this.#unlisten === undefined) return;
      if (node !== undefined) this.node(node);
      const pod = this.#catalog.podsOf(this.#node).find(({ metadata }) => metadata?.uid === uid);
      if (pod !== undefined) this.#sendPod(pod);
      this.#sendSynced();
    });
  }

  #sendPod(pod: Pod): void {
    const { uid = '', namespace = '', name = '', resourceVersion = '' } = pod.metadata ?? {};
    const known = this.#pods.get(uid);
    if (known !== undefined && versionOf(known.version) >= versionOf(resourceVersion)) return;
    this.#pods.set(uid, { namespace, name, version: resourceVersion });
    this.#send({ $case: 'podSpec', value: { pod: encodeJsonBytes(pod), serviceEnvironment: this.#catalog.environmentOf(pod) } });
  }

  /** Once nothing waits any more: the worker takes what it has not been sent by then for gone. */
  #sendSynced(): void {
    if (this.#synced || this.#waiting.size > 0) return;
    this.#synced = true;
    this.#send({ $case: 'synced', value: { revision: this.#catalog.revision } });
  }

  #forgetPod(uid: string, namespace: string, name: string): void {
    this.#pods.delete(uid);
    this.#send({ $case: 'podGone', value: { namespace, name, uid } });
  }

  #sendConfigs(pod: Pod): void {
    const namespace = pod.metadata?.namespace ?? '';
    const { configMaps, secrets } = referencesOf(pod);
    for (const name of configMaps) this.#sendConfig('ConfigMap', namespace, name);
    for (const name of secrets) this.#sendConfig('Secret', namespace, name);
  }

  #sendConfig(kind: ConfigKind, namespace: string, name: string): void {
    const object = this.#catalog.config(kind, namespace, name);
    const key = configKey(kind, namespace, name);
    const version = object?.metadata?.resourceVersion ?? '';
    const known = this.#configs.get(key);
    if (known?.version === version) return;
    this.#configs.set(key, { kind, namespace, name, version });
    if (object === undefined) this.#send({ $case: 'configGone', value: { kind: kindOf(kind), namespace, name } });
    else {
      const json = encodeJsonBytes(object);
      this.#send({ $case: 'configObject', value: { kind: kindOf(kind), namespace, name, resourceVersion: version, object: json } });
    }
  }

  /** Takes back what no pod of the node refers to any more. */
  #dropUnreferenced(): void {
    const wanted = new Set<string>();
    for (const pod of this.#catalog.podsOf(this.#node)) {
      const namespace = pod.metadata?.namespace ?? '';
      const { configMaps, secrets } = referencesOf(pod);
      for (const name of configMaps) wanted.add(configKey('ConfigMap', namespace, name));
      for (const name of secrets) wanted.add(configKey('Secret', namespace, name));
    }
    for (const [key, { kind, namespace, name, version }] of this.#configs) {
      if (wanted.has(key)) continue;
      this.#configs.delete(key);
      if (version !== '') this.#send({ $case: 'configGone', value: { kind: kindOf(kind), namespace, name } });
    }
  }
}
