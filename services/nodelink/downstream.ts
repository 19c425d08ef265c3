/**
 * What goes down one primary session: the node's pods, and just the objects they refer to. It knows what the worker
 * holds and sends the difference, configuration before the pod that needs it.
 */
import { encodeJsonBytes } from '../../apimachinery/json-value.js';
import type { Node, Pod } from '../../apimachinery/gen/types.js';
import { requiredNodeMatches } from '../../apimachinery/kinds/pod/node-requirements.js';
import { referenceKey } from '../../apimachinery/node-objects/references.js';
import type { ObjectReference } from '../../apimachinery/node-objects/references.js';
import { NUMBERED_KINDS, kindOfWire, wireKindOf } from '../../apimachinery/node-objects/wire.js';
import type { Part } from '../../platform/containment.js';
import { ObjectKind } from '../../proto/gen/navarch/node/v1/node.js';
import type { KnownObject, SessionResponse } from '../../proto/gen/navarch/node/v1/node.js';
import type { Catalog, CatalogListener } from './catalog.js';

interface KnownPod {
  readonly namespace: string;
  readonly name: string;
  version: string;
}

/** Versions are numbers of one sequence; what is not a number is older than everything. */
const versionOf = (text: string | undefined) => (/^\d+$/.test(text ?? '') ? BigInt(text ?? '0') : 0n);

/** What is asked of the catalog. */
export type NodeCatalog = Pick<
  Catalog,
  | 'listen'
  | 'node'
  | 'podsOf'
  | 'object'
  | 'objectsOf'
  | 'objectsFrom'
  | 'sends'
  | 'leadsOn'
  | 'environmentOf'
  | 'revision'
>;

export interface DownstreamOptions {
  readonly node: string;
  readonly catalog: NodeCatalog;
  readonly part: Part;
  send(message: NonNullable<SessionResponse['message']>): void;
  /**
   * The node as the API has it now: the catalog may be behind. Undefined: there is none, or it cannot be read. Never
   * rejects.
   */
  freshNode(): Promise<Node | undefined>;
}

export class Downstream implements CatalogListener {
  readonly #node: string;
  readonly #catalog: NodeCatalog;
  readonly #send: (message: NonNullable<SessionResponse['message']>) => void;
  readonly #part: Part;
  readonly #pods = new Map<string, KnownPod>();
  /** Version of each object the worker holds; '' when it was told that there is none. */
  readonly #objects = new Map<string, { readonly reference: ObjectReference; readonly version: string }>();
  /** Kinds that the worker takes. */
  #takes: ReadonlySet<string> = new Set();
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

  /**
   * Sends what differs from `known`, then every change until `close`. The catalog is not older than the worker's
   * revision.
   */
  open(known: readonly KnownObject[], takes: readonly string[] = NUMBERED_KINDS): void {
    this.#takes = new Set(takes);
    for (const object of known) this.#noteKnown(object);
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
    for (const reference of this.#catalog.objectsOf(pod)) this.#sendObject(reference);
    if (this.#pods.has(uid) || this.#suits(pod)) this.#sendPod(pod);
    else this.#sendAfterNode(uid);
  }

  podGone(pod: Pod): void {
    const { uid = '', namespace = '', name = '' } = pod.metadata ?? {};
    if (!this.#pods.has(uid)) return;
    this.#forgetPod(uid, namespace, name);
    this.#dropUnreferenced();
  }

  object(reference: ObjectReference): void {
    for (const found of this.#catalog.objectsFrom([reference])) this.#sendObject(found);
    // What it referred to before may be nobody's now.
    if (this.#catalog.leadsOn(reference.kind)) this.#dropUnreferenced();
  }

  #noteKnown(object: KnownObject): void {
    const { namespace, name, resourceVersion: version } = object;
    if (object.kind === ObjectKind.OBJECT_KIND_POD) {
      this.#pods.set(object.uid, { namespace, name, version });
      return;
    }
    const kind = kindOfWire(object);
    // A newer worker may hold kinds that this member does not send: they are left to the next.
    if (kind === undefined || !this.#catalog.sends(kind)) return;
    const reference = { kind, namespace, name };
    this.#objects.set(referenceKey(reference), { reference, version });
  }

  #suits(pod: Pod): boolean {
    const node = this.#catalog.node(this.#node);
    return node !== undefined && requiredNodeMatches(pod, { name: this.#node, labels: node.metadata?.labels ?? {} });
  }

  /**
   * Whoever bound a pod that does not suit the node may have seen newer labels than this member: the worker gets those
   * first.
   */
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
    this.#send({
      $case: 'podSpec',
      value: { pod: encodeJsonBytes(pod), serviceEnvironment: this.#catalog.environmentOf(pod) },
    });
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

  #sendObject(reference: ObjectReference): void {
    if (!this.#takes.has(reference.kind)) return;
    const object = this.#catalog.object(reference);
    const key = referenceKey(reference);
    const version = object?.metadata?.resourceVersion ?? '';
    if (this.#objects.get(key)?.version === version) return;
    this.#objects.set(key, { reference, version });
    if (object === undefined) this.#sendGone(reference);
    else {
      const { kind, namespace, name } = reference;
      const json = encodeJsonBytes(object);
      this.#send({
        $case: 'configObject',
        value: { ...wireKindOf(kind), namespace, name, resourceVersion: version, object: json },
      });
    }
  }

  #sendGone({ kind, namespace, name }: ObjectReference): void {
    this.#send({ $case: 'configGone', value: { ...wireKindOf(kind), namespace, name } });
  }

  /** Takes back what no pod of the node refers to any more. */
  #dropUnreferenced(): void {
    const pods = this.#catalog.podsOf(this.#node);
    const wanted = new Set(pods.flatMap((pod) => this.#catalog.objectsOf(pod).map(referenceKey)));
    for (const [key, { reference, version }] of this.#objects) {
      if (wanted.has(key)) continue;
      this.#objects.delete(key);
      if (version !== '') this.#sendGone(reference);
    }
  }
}
