/**
 * Namespace deletion: everything in a namespace that is asked to go is deleted, and when nothing is left, the namespace's own
 * finalizer is taken away. Says in conditions what it is waiting for.
 */
import { namespaces } from '../../../apimachinery/gen/resources.js';
import type { Namespace, NamespaceCondition } from '../../../apimachinery/gen/types.js';
import { groupResourceOf, type Resource } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import { toTime } from '../../../platform/clock.js';
import { Controller, done, requeueAfter, type ReconcileContext, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { withCondition } from '../lib/conditions.js';
import { equalJson } from '../lib/equal.js';

export interface NamespaceOptions {
  /** Namespaced resources that can be listed and deleted, now. */
  readonly resources: () => readonly Resource[];
}

const FINALIZER = 'kubernetes';
/** Between two looks at a namespace whose content takes its time (pods with a grace period, finalizers of others). */
const RETRY_MS = 500;

interface Remaining {
  /** `pods: 3` and the like. */
  readonly resources: ReadonlyMap<string, number>;
  /** Finalizer -> objects that wait for it. */
  readonly finalizers: ReadonlyMap<string, number>;
}

async function deleteContent(context: ControllerContext, options: NamespaceOptions, namespace: string, signal: AbortSignal): Promise<Remaining> {
  const resources = new Map<string, number>();
  const finalizers = new Map<string, number>();
  for (const resource of options.resources()) {
    const { items } = await context.client.list(resource, { namespace, signal });
    if (items.length === 0) continue;
    if (items.some((item) => item.metadata?.deletionTimestamp === undefined)) {
      await context.client.deleteCollection(resource, { namespace, propagationPolicy: 'Background', signal }).catch((error: unknown) => {
        if (!isApiError(error, 'NotFound') && !isApiError(error, 'MethodNotAllowed')) throw error;
      });
    }
    const left = (await context.client.list(resource, { namespace, signal })).items;
    if (left.length > 0) resources.set(groupResourceOf(resource), left.length);
    for (const item of left) {
      for (const finalizer of item.metadata?.finalizers ?? []) finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
    }
  }
  return { resources, finalizers };
}

function conditionsOf(namespace: Namespace, remaining: Remaining, now: string): NamespaceCondition[] {
  const list = (map: ReadonlyMap<string, number>, what: (name: string, count: number) => string) =>
    [...map].map(([name, count]) => what(name, count)).join(', ');
  const condition = (type: string, map: ReadonlyMap<string, number>, reason: string, otherwise: string, text: string): NamespaceCondition =>
    map.size === 0
      ? { type, status: 'False', reason: otherwise, message: 'All content successfully removed', lastTransitionTime: now }
      : { type, status: 'True', reason, message: text, lastTransitionTime: now };
  let conditions: readonly NamespaceCondition[] = namespace.status?.conditions ?? [];
  conditions = withCondition(conditions, condition('NamespaceContentRemaining', remaining.resources, 'SomeResourcesRemain', 'ContentRemoved',
    `Some resources are remaining: ${list(remaining.resources, (name, count) => `${name} has ${count} resource instances`)}`));
  conditions = withCondition(conditions, condition('NamespaceFinalizersRemaining', remaining.finalizers, 'SomeFinalizersRemain', 'ContentHasNoFinalizers',
    `Some content in the namespace has finalizers remaining: ${list(remaining.finalizers, (name, count) => `${name} in ${count} resource instances`)}`));
  return [...conditions];
}

async function reconcileNamespace(context: ControllerContext, options: NamespaceOptions, namespace: Namespace, call: ReconcileContext): Promise<ReconcileResult> {
  const { signal } = call;
  const name = namespace.metadata?.name ?? '';
  let current = namespace;
  if (current.status?.phase !== 'Terminating') {
    current = await context.client.updateStatus(namespaces, { ...current, status: { ...current.status, phase: 'Terminating' } }, { signal });
  }
  if (!(current.spec?.finalizers ?? []).includes(FINALIZER)) return done;
  const remaining = await deleteContent(context, options, name, signal);
  if (remaining.resources.size > 0) {
    const conditions = conditionsOf(current, remaining, toTime(context.clock.now()));
    if (!equalJson(conditions, current.status?.conditions)) {
      await context.client.updateStatus(namespaces, { ...current, status: { ...current.status, conditions } }, { signal });
    }
    return requeueAfter(RETRY_MS);
  }
  const finalizers = (current.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  await context.client.update(namespaces, { ...current, spec: { ...current.spec, finalizers } }, { subresource: 'finalize', signal });
  return done;
}

export function createNamespaceController(context: ControllerContext, options: NamespaceOptions): Controller {
  const informer = context.informers.informer(namespaces);
  return new Controller({
    name: 'namespace', clock: context.clock, logger: context.logger, workers: 4,
    sources: [sourceOf(informer, bySelf, { filter: (namespace) => namespace.metadata?.deletionTimestamp !== undefined })],
    async reconcile(key, call) {
      const namespace = informer.lister.get(key);
      if (namespace?.metadata?.deletionTimestamp === undefined) return done;
      try {
        return await reconcileNamespace(context, options, namespace, call);
      } catch (error) {
        if (isApiError(error, 'NotFound')) return done;
        throw error;
      }
    },
  });
}
