/** A node with what runs on it. Sums are kept as pods come and go, so that a filter reads and never counts. */
import type { HostPort } from '../../../apimachinery/kinds/pod/host-ports.js';
import { assert } from '../../../platform/assert.js';
import type { Node, Taint } from '../../../apimachinery/gen/types.js';
import { resourcesOf } from '../../../apimachinery/kinds/pod/resources.js';
import type { Labels } from '../../../apimachinery/selector/labels.js';
import { amountsOf } from './pod-info.js';
import type { Amounts, PodInfo } from './pod-info.js';

export class NodeInfo {
  readonly name: string;
  #node: Node | undefined;
  #allocatable: Amounts = new Map();
  readonly #pods = new Map<string, PodInfo>();
  readonly #byNamespace = new Map<string, Map<string, PodInfo>>();
  readonly #withAntiAffinity = new Map<string, PodInfo>();
  readonly #withAffinity = new Map<string, PodInfo>();
  readonly #requested = new Map<string, number>();
  readonly #scored = new Map<string, number>();
  /** `protocol/port` -> address -> how many pods. */
  readonly #ports = new Map<string, Map<string, number>>();

  constructor(name: string) {
    this.name = name;
  }

  /** Undefined while only pods are known that claim to be on it. */
  get node(): Node | undefined {
    return this.#node;
  }

  set node(node: Node | undefined) {
    this.#node = node;
    this.#allocatable = amountsOf(resourcesOf(node?.status?.allocatable));
  }

  get labels(): Labels {
    return this.#node?.metadata?.labels ?? {};
  }

  get taints(): readonly Taint[] {
    return this.#node?.spec?.taints ?? [];
  }

  get pods(): Iterable<PodInfo> {
    return this.#pods.values();
  }

  get podCount(): number {
    return this.#pods.size;
  }

  podsIn(namespace: string): Iterable<PodInfo> {
    return this.#byNamespace.get(namespace)?.values() ?? [];
  }

  /** Pods with required anti-affinity. */
  get podsWithAntiAffinity(): Iterable<PodInfo> {
    return this.#withAntiAffinity.values();
  }

  /** Pods with a term of affinity or anti-affinity, required or preferred. */
  get podsWithAffinity(): Iterable<PodInfo> {
    return this.#withAffinity.values();
  }

  allocatable(resource: string): number {
    return this.#allocatable.get(resource) ?? 0;
  }

  requested(resource: string): number {
    return this.#requested.get(resource) ?? 0;
  }

  /** With a guess for pods that did not say. */
  scoredRequest(resource: string): number {
    return this.#scored.get(resource) ?? 0;
  }

  /** The node's value of a topology label; undefined when it lacks the label. */
  topology(key: string): string | undefined {
    return Object.hasOwn(this.labels, key) ? this.labels[key] : undefined;
  }

  isPortTaken({ ip, protocol, port }: HostPort): boolean {
    const addresses = this.#ports.get(`${protocol}/${port}`);
    if (addresses === undefined) return false;
    return ip === '0.0.0.0' || addresses.has('0.0.0.0') || addresses.has(ip);
  }

  has(key: string): boolean {
    return this.#pods.has(key);
  }

  add(pod: PodInfo): void {
    assert(!this.#pods.has(pod.key), `pod ${pod.key} is on node ${this.name} already`);
    this.#pods.set(pod.key, pod);
    let namespace = this.#byNamespace.get(pod.namespace);
    if (namespace === undefined) this.#byNamespace.set(pod.namespace, (namespace = new Map()));
    namespace.set(pod.key, pod);
    if (pod.requiredAntiAffinity.length > 0) this.#withAntiAffinity.set(pod.key, pod);
    if (hasAffinity(pod)) this.#withAffinity.set(pod.key, pod);
    this.#count(pod, 1);
  }

  remove(key: string): void {
    const pod = this.#pods.get(key);
    assert(pod !== undefined, `pod ${key} is not on node ${this.name}`);
    this.#pods.delete(key);
    this.#withAntiAffinity.delete(key);
    this.#withAffinity.delete(key);
    const namespace = this.#byNamespace.get(pod.namespace);
    namespace?.delete(key);
    if (namespace?.size === 0) this.#byNamespace.delete(pod.namespace);
    this.#count(pod, -1);
  }

  /** A copy that may be changed to see what would be. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.name);
    copy.node = this.#node;
    for (const pod of this.#pods.values()) copy.add(pod);
    return copy;
  }

  #count(pod: PodInfo, sign: 1 | -1): void {
    accumulate(this.#requested, pod.requests, sign);
    accumulate(this.#scored, pod.scoredRequests, sign);
    for (const { ip, protocol, port } of pod.hostPorts) {
      const key = `${protocol}/${port}`;
      let addresses = this.#ports.get(key);
      if (addresses === undefined) this.#ports.set(key, (addresses = new Map()));
      const count = (addresses.get(ip) ?? 0) + sign;
      if (count > 0) addresses.set(ip, count);
      else addresses.delete(ip);
      if (addresses.size === 0) this.#ports.delete(key);
    }
  }
}

function hasAffinity(pod: PodInfo): boolean {
  return (
    pod.requiredAffinity.length +
      pod.requiredAntiAffinity.length +
      pod.preferredAffinity.length +
      pod.preferredAntiAffinity.length >
    0
  );
}

function accumulate(sums: Map<string, number>, amounts: Amounts, sign: 1 | -1): void {
  for (const [name, amount] of amounts) sums.set(name, (sums.get(name) ?? 0) + sign * amount);
}
