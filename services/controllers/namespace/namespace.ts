/**
 * Namespace deletion: everything in a namespace that is asked to go is deleted, and when nothing is left, the
 * namespace's own finalizer is taken away. Says in conditions what it is waiting for.
 */
import { namespaces } from '../../../apimachinery/gen/resources.js';
import type { Namespace } from '../../../apimachinery/gen/types.js';
import { isApiError } from '../../../apimachinery/status.js';
import { toTime } from '../../../platform/clock.js';
import { Controller, done, requeueAfter, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import type { Discovery } from '../discovery.js';
import { equalJson } from '../lib/equal.js';
import { conditionsOf } from './conditions.js';
import { deleteContent, type ContentParts } from './content.js';

export interface NamespaceOptions {
  readonly discovery: Discovery;
}

const FINALIZER = 'kubernetes';
/** Between two looks at a namespace whose content takes its time (pods with a grace period, finalizers of others). */
const RETRY_MS = 500;

async function empty(parts: ContentParts, namespace: Namespace): Promise<ReconcileResult> {
  const { context, signal } = parts;
  let current = namespace;
  if (current.status?.phase !== 'Terminating') {
    current = await context.client.updateStatus(
      namespaces,
      { ...current, status: { ...current.status, phase: 'Terminating' } },
      { signal },
    );
  }
  if (!(current.spec?.finalizers ?? []).includes(FINALIZER)) return done;
  const remaining = await deleteContent(parts, current);
  const conditions = conditionsOf(current.status?.conditions ?? [], remaining, toTime(context.clock.now()));
  if (!equalJson(conditions, current.status?.conditions)) {
    current = await context.client.updateStatus(
      namespaces,
      { ...current, status: { ...current.status, conditions } },
      { signal },
    );
  }
  const isEmpty =
    remaining.resources.size === 0 && remaining.failures.length === 0 && remaining.discoveryError === undefined;
  if (!isEmpty) return requeueAfter(RETRY_MS);
  const finalizers = (current.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  await context.client.update(
    namespaces,
    { ...current, spec: { ...current.spec, finalizers } },
    { subresource: 'finalize', signal },
  );
  return done;
}

export function createNamespaceController(context: ControllerContext, options: NamespaceOptions): Controller {
  const informer = context.informers.informer(namespaces);
  return new Controller({
    name: 'namespace',
    clock: context.clock,
    logger: context.logger,
    workers: 4,
    sources: [
      sourceOf(informer, bySelf, { filter: (namespace) => namespace.metadata?.deletionTimestamp !== undefined }),
    ],
    async reconcile(key, { signal }) {
      const namespace = informer.lister.get(key);
      if (namespace?.metadata?.deletionTimestamp === undefined) return done;
      try {
        return await empty({ context, discovery: options.discovery, signal }, namespace);
      } catch (error) {
        if (isApiError(error, 'NotFound')) return done;
        throw error;
      }
    },
  });
}
