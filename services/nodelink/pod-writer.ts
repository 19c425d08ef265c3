/**
 * Writes for a node what it may write of its pods: their status, and their end. Nothing a worker says reaches an object
 * that is not bound to that worker, and nothing but status is taken from it (CVE-2025-4563, CVE-2025-5187).
 */
import { encodeJson } from '../../apimachinery/json-value.js';
import type { Pod, PodCondition, PodStatus, TokenRequest } from '../../apimachinery/gen/types.js';
import { pods, serviceAccounts } from '../../apimachinery/gen/resources.js';
import { tokensOfPod } from '../../apimachinery/node-objects/tokens.js';
import type { KubeObject, Resource } from '../../apimachinery/object.js';
import { apiErrors, isApiError } from '../../apimachinery/status.js';
import type { Client } from '../../sdk/client.js';
import type { Catalog } from './catalog.js';

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

const CONFLICTS_MAX = 5;
/** Conditions that are the worker's to set; all others stay as they are stored. */
const NODE_CONDITIONS = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
]);
/** Fields of a status that are not the worker's. */
const FOREIGN_FIELDS = ['nominatedNodeName', 'resourceClaimStatuses'] as const;

export class PodWriter {
  readonly #client: Client;
  readonly #catalog: Catalog;
  readonly #node: string;

  constructor(client: Client, catalog: Catalog, node: string) {
    this.#client = client;
    this.#catalog = catalog;
    this.#node = node;
  }

  /** Does nothing for a pod that is gone or not of this node, or when nothing would change. */
  async writeStatus(ref: PodRef, status: PodStatus): Promise<void> {
    let pod = this.#catalog.pod(ref.namespace, ref.name);
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      if (pod === undefined || attempt > 0) pod = await this.#read(ref);
      if (pod === undefined || !this.#owns(pod, ref)) return;
      const merged = mergeStatus(pod.status ?? {}, status);
      if (encodeJson(merged) === encodeJson(pod.status)) return;
      try {
        await this.#client.updateStatus(pods, { ...pod, status: merged });
        return;
      } catch (error) {
        if (isApiError(error, 'NotFound')) return;
        if (!isApiError(error, 'Conflict')) throw error;
      }
    }
    throw apiErrors.conflict(pods, ref.name, 'the pod kept changing while its status was written');
  }

  /** Removes the object for good. Only a pod that was asked to go: a worker cannot delete what nobody deleted. */
  async remove(ref: PodRef): Promise<void> {
    const pod = await this.#read(ref);
    if (pod === undefined || !this.#owns(pod, ref) || pod.metadata?.deletionTimestamp === undefined) return;
    try {
      await this.#client.delete(
        pods,
        { namespace: ref.namespace, name: ref.name },
        { gracePeriodSeconds: 0, preconditions: { uid: ref.uid } },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
    }
  }

  /** A token for the service account the pod runs as, for an audience its spec asks for, bound to the pod. */
  async token(ref: PodRef, audience: string, expiration_s: number): Promise<{ token: string; expires_ms: number }> {
    const pod = this.#catalog.pod(ref.namespace, ref.name) ?? (await this.#read(ref));
    if (pod === undefined || !this.#owns(pod, ref))
      throw apiErrors.forbidden(pods, ref.name, 'it is not bound to this node');
    if (!tokensOfPod(pod).some((need) => need.audience === audience))
      throw apiErrors.forbidden(pods, ref.name, `it asks for no token for audience "${audience}"`);
    const name = pod.spec?.serviceAccountName ?? 'default';
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === '' ? [] : [audience],
        expirationSeconds: expiration_s,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: ref.name, uid: ref.uid },
      },
    };
    const answer = await this.#client.create<KubeObject>(serviceAccounts as Resource, request, {
      subresource: 'token',
      ref: { namespace: ref.namespace, name },
    });
    const status = (answer as Partial<TokenRequest> & { status?: { token?: string; expirationTimestamp?: string } })
      .status;
    if (status?.token === undefined || status.expirationTimestamp === undefined)
      throw apiErrors.internal('the token request came back without a token');
    return { token: status.token, expires_ms: Date.parse(status.expirationTimestamp) };
  }

  #owns(pod: Pod, ref: PodRef): boolean {
    return pod.metadata?.uid === ref.uid && pod.spec?.nodeName === this.#node;
  }

  async #read(ref: PodRef): Promise<Pod | undefined> {
    try {
      return await this.#client.get(pods, { namespace: ref.namespace, name: ref.name });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

/** The worker's status with what belongs to others kept. */
export function mergeStatus(stored: PodStatus, reported: PodStatus): PodStatus {
  const own = (reported.conditions ?? []).filter((condition) => NODE_CONDITIONS.has(condition.type));
  const foreign = (stored.conditions ?? []).filter((condition) => !NODE_CONDITIONS.has(condition.type));
  const kept: Record<string, unknown> = {};
  for (const field of FOREIGN_FIELDS) {
    if (stored[field] !== undefined) kept[field] = stored[field];
  }
  // A phase that is final never changes again (Kubernetes: "Pod phase").
  const final = stored.phase === 'Succeeded' || stored.phase === 'Failed';
  const clean: Record<string, unknown> = { ...reported };
  for (const field of FOREIGN_FIELDS) delete clean[field];
  return {
    ...clean,
    ...kept,
    ...(final && stored.phase !== undefined ? { phase: stored.phase } : {}),
    conditions: inOrder(stored.conditions ?? [], [...foreign, ...own]),
  };
}

/** Conditions in the order in which they are stored, new ones after them: an unchanged status stays the same bytes. */
function inOrder(stored: readonly PodCondition[], conditions: readonly PodCondition[]): PodCondition[] {
  const position = new Map(stored.map((condition, index) => [condition.type, index]));
  return conditions.toSorted(
    (a, b) => (position.get(a.type) ?? stored.length) - (position.get(b.type) ?? stored.length),
  );
}
