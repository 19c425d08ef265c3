/** Keeps a node's own objects: the Node, from what its worker reports, and the Lease that says it is alive. */
import type { Lease, Node, NodeStatus } from '../../apimachinery/gen/types.js';
import { leases, nodes } from '../../apimachinery/gen/resources.js';
import type { ObjectMeta } from '../../apimachinery/object.js';
import { isApiError } from '../../apimachinery/status.js';
import { toMicroTime, toTime } from '../../platform/clock.js';
import type { Clock } from '../../platform/clock.js';
import type { Client } from '../../sdk/client.js';
import { keyAnnotation } from './node-keys.js';

const LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_DURATION_S = 40;
const CONFLICTS_MAX = 5;

export interface NodeReport {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: NodeStatus;
}

/**
 * Labels a worker may give itself: the well-known ones about its machine, and those outside Kubernetes' own domains.
 */
const OWN_LABEL = new RegExp(
  '^(kubernetes\\.io/(hostname|arch|os)|node\\.kubernetes\\.io/instance-type|topology\\.kubernetes\\.io/(zone|region)' +
    '|kubelet\\.kubernetes\\.io/.*|node\\.kubernetes\\.io/.*)$',
);
const FOREIGN_DOMAIN = /(^|\.)(kubernetes|k8s)\.io\//;

export function mayLabel(label: string): boolean {
  return OWN_LABEL.test(label) || !FOREIGN_DOMAIN.test(label);
}

export class NodeWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #node: string;
  readonly #annotations: Readonly<Record<string, string>>;

  /** `key`: of the worker's certificate, recorded where the Node has none on record. */
  constructor(
    client: Client,
    clock: Clock,
    { name, key }: { readonly name: string; readonly key?: string | undefined },
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#node = name;
    this.#annotations = key === undefined ? {} : keyAnnotation(key);
  }

  /** Creates the Node when it is not there. Labels, taints, spec and conditions of others are kept. */
  async writeNode(report: NodeReport): Promise<void> {
    const labels = Object.fromEntries(Object.entries(report.labels).filter(([label]) => mayLabel(label)));
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      try {
        const stored = await this.#read();
        const labelled =
          stored === undefined
            ? await this.#client.create<Node>(nodes, {
                apiVersion: 'v1',
                kind: 'Node',
                metadata: { name: this.#node, labels, annotations: this.#annotations },
                spec: {},
              })
            : await this.#label(stored, labels);
        await this.#client.updateStatus<Node>(nodes, {
          ...labelled,
          status: this.#merge(labelled.status ?? {}, report.status),
        });
        return;
      } catch (error) {
        if (!isApiError(error, 'Conflict') && !isApiError(error, 'AlreadyExists') && !isApiError(error, 'NotFound'))
          throw error;
      }
    }
  }

  /**
   * Renews the Lease; makes it when it is not there. It belongs to the Node, and goes with it; one that was made before
   * there was a Node is given to it as soon as there is one.
   */
  async renewLease(): Promise<void> {
    const renewTime = toMicroTime(this.#clock.now());
    const ref = { namespace: LEASE_NAMESPACE, name: this.#node };
    try {
      const lease = await this.#client.patch<Lease>(leases, ref, {
        type: 'merge',
        body: { spec: { holderIdentity: this.#node, leaseDurationSeconds: LEASE_DURATION_S, renewTime } },
      });
      if ((lease.metadata?.ownerReferences ?? []).length > 0) return;
      const metadata = await this.#owned();
      if (metadata.ownerReferences !== undefined)
        await this.#client.patch<Lease>(leases, ref, { type: 'merge', body: { metadata } });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      await this.#createLease(renewTime);
    }
  }

  async #createLease(renewTime: string): Promise<void> {
    const owner = await this.#owned();
    try {
      await this.#client.create<Lease>(leases, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { namespace: LEASE_NAMESPACE, name: this.#node, ...owner },
        spec: { holderIdentity: this.#node, leaseDurationSeconds: LEASE_DURATION_S, renewTime },
      });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  }

  /** What marks a thing as the Node's; nothing while there is no Node. */
  async #owned(): Promise<Pick<ObjectMeta, 'ownerReferences'>> {
    const uid = (await this.#read())?.metadata?.uid;
    return uid === undefined ? {} : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: this.#node, uid }] };
  }

  async #label(node: Node, labels: Readonly<Record<string, string>>): Promise<Node> {
    const current = node.metadata?.labels ?? {};
    const recorded = node.metadata?.annotations ?? {};
    const annotations = Object.fromEntries(
      Object.entries(this.#annotations).filter(([annotation]) => !Object.hasOwn(recorded, annotation)),
    );
    const isLabelled = Object.entries(labels).every(
      ([label, value]) => Object.hasOwn(current, label) && current[label] === value,
    );
    if (isLabelled && Object.keys(annotations).length === 0) return node;
    // Only where nobody has recorded another key meanwhile.
    const record =
      Object.keys(annotations).length === 0 ? {} : { annotations, resourceVersion: node.metadata?.resourceVersion };
    return this.#client.patch<Node>(
      nodes,
      { name: this.#node },
      { type: 'merge', body: { metadata: { labels, ...record } } },
    );
  }

  #merge(stored: NodeStatus, reported: NodeStatus): NodeStatus {
    const now = toTime(this.#clock.now());
    const before = new Map((stored.conditions ?? []).map((condition) => [condition.type, condition]));
    const own = (reported.conditions ?? []).map((condition) => {
      const old = before.get(condition.type);
      return {
        ...condition,
        lastHeartbeatTime: now,
        lastTransitionTime: old?.status === condition.status ? (old.lastTransitionTime ?? now) : now,
      };
    });
    const types = new Set(own.map((condition) => condition.type));
    return {
      ...stored,
      ...reported,
      conditions: [...(stored.conditions ?? []).filter((condition) => !types.has(condition.type)), ...own],
    };
  }

  async #read(): Promise<Node | undefined> {
    try {
      return await this.#client.get<Node>(nodes, { name: this.#node });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}
