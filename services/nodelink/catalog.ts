/**
 * What each node is to have: one shared informer per resource, pods indexed by their node. Tells sessions which node a
 * change concerns; never reads anything per node from the API.
 */
import type { ConfigMap, Node, Pod, Secret, Service } from '../../apimachinery/gen/types.js';
import { configMaps, nodes, pods, secrets, services } from '../../apimachinery/gen/resources.js';
import type { KubeObject } from '../../apimachinery/object.js';
import type { Part } from '../../platform/containment.js';
import type { Informer } from '../../sdk/informer/informer.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { referencesOf } from './references.js';
import { serviceEnvironment } from './service-environment.js';

export interface CatalogListener {
  pod(pod: Pod): void;
  /** Deleted, or bound elsewhere now. */
  podGone(pod: Pod): void;
  config(kind: 'ConfigMap' | 'Secret', namespace: string, name: string): void;
  node(node: Node): void;
}

const NODE = 'nodelink/node';
const CONFIGS = 'nodelink/configs';
const NAMESPACE = 'nodelink/namespace';

const nodeOf = (pod: Pod) => pod.spec?.nodeName ?? '';
const configKey = (kind: string, namespace: string, name: string) => `${kind}/${namespace}/${name}`;

export class Catalog {
  readonly #pods: Informer<Pod>;
  readonly #configMaps: Informer<ConfigMap>;
  readonly #secrets: Informer<Secret>;
  readonly #services: Informer<Service>;
  readonly #nodes: Informer<Node>;
  readonly #listeners = new Map<string, Map<CatalogListener, Part>>();
  readonly #undo: (() => void)[] = [];

  constructor(informers: InformerFactory) {
    this.#pods = informers.informer(pods);
    this.#configMaps = informers.informer(configMaps);
    this.#secrets = informers.informer(secrets);
    this.#services = informers.informer(services);
    this.#nodes = informers.informer(nodes);
    this.#pods.addIndex(NODE, (pod) => (nodeOf(pod) === '' ? [] : [nodeOf(pod)]));
    this.#pods.addIndex(CONFIGS, (pod) => {
      if (nodeOf(pod) === '') return [];
      const { configMaps: mapNames, secrets: secretNames } = referencesOf(pod);
      const namespace = pod.metadata?.namespace ?? '';
      return [
        ...[...mapNames].map((name) => configKey('ConfigMap', namespace, name)),
        ...[...secretNames].map((name) => configKey('Secret', namespace, name)),
      ];
    });
    this.#services.addIndex(NAMESPACE, (service) => [service.metadata?.namespace ?? '']);
  }

  start(): void {
    this.#undo.push(this.#pods.addHandler({
      add: (pod) => this.#podChanged(pod, undefined),
      update: (pod, old) => this.#podChanged(pod, old),
      delete: (pod) => this.#tell(nodeOf(pod), (listener) => listener.podGone(pod)),
    }));
    this.#followConfigs(this.#configMaps, 'ConfigMap');
    this.#followConfigs(this.#secrets, 'Secret');
    const nodeChanged = (node: Node) => this.#tell(node.metadata?.name ?? '', (listener) => listener.node(node));
    this.#undo.push(this.#nodes.addHandler({ add: nodeChanged, update: nodeChanged }));
  }

  stop(): void {
    for (const undo of this.#undo) undo();
  }

  whenSynced(signal: AbortSignal): Promise<unknown> {
    return Promise.all([this.#pods, this.#configMaps, this.#secrets, this.#services, this.#nodes].map((informer) => informer.whenSynced(signal)));
  }

  /** The version up to which the pods are known. */
  get revision(): string {
    return this.#pods.resourceVersion ?? '0';
  }

  podsOf(node: string): Pod[] {
    return this.#pods.lister.byIndex(NODE, node);
  }

  node(name: string): Node | undefined {
    return this.#nodes.lister.getByRef({ name });
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.lister.getByRef({ namespace, name });
  }

  /** Somebody found the node silent for too long, and said so in its conditions. */
  isTakenForDead(node: string): boolean {
    const conditions = this.#nodes.lister.get(node)?.status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'Unknown');
  }

  config(kind: 'ConfigMap' | 'Secret', namespace: string, name: string): KubeObject | undefined {
    return (kind === 'ConfigMap' ? this.#configMaps : this.#secrets).lister.getByRef({ namespace, name });
  }

  environmentOf(pod: Pod): Record<string, string> {
    const links = pod.spec?.enableServiceLinks !== false;
    const own = links ? this.#services.lister.byIndex(NAMESPACE, pod.metadata?.namespace ?? '') : [];
    const api = this.#services.lister.getByRef({ namespace: 'default', name: 'kubernetes' });
    return serviceEnvironment(api === undefined ? own : [...own.filter((service) => service !== api), api]);
  }

  /** A listener that throws is a fault of `part`. */
  listen(node: string, listener: CatalogListener, part: Part): () => void {
    const listeners = this.#listeners.get(node) ?? new Map<CatalogListener, Part>();
    this.#listeners.set(node, listeners.set(listener, part));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(node) === listeners) this.#listeners.delete(node);
    };
  }

  #podChanged(pod: Pod, old: Pod | undefined): void {
    if (old !== undefined && nodeOf(old) !== nodeOf(pod)) this.#tell(nodeOf(old), (listener) => listener.podGone(old));
    this.#tell(nodeOf(pod), (listener) => listener.pod(pod));
  }

  #followConfigs(informer: Informer<ConfigMap> | Informer<Secret>, kind: 'ConfigMap' | 'Secret'): void {
    const changed = (object: KubeObject) => {
      const { namespace = '', name = '' } = object.metadata ?? {};
      const nodes = new Set(this.#pods.lister.byIndex(CONFIGS, configKey(kind, namespace, name)).map(nodeOf));
      for (const node of nodes) this.#tell(node, (listener) => listener.config(kind, namespace, name));
    };
    this.#undo.push((informer as Informer<KubeObject>).addHandler({ add: (object, initial) => { if (!initial) changed(object); }, update: changed, delete: changed }));
  }

  #tell(node: string, call: (listener: CatalogListener) => void): void {
    for (const [listener, part] of this.#listeners.get(node) ?? []) part.contain(() => call(listener));
  }
}
