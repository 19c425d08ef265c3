/**
 * The content of a namespace that is being deleted: pods first, the rest when no pod is left, so that what protects
 * pods (policies, secrets, accounts) outlives them (KEP-5080). One kind that cannot be deleted does not keep the
 * others.
 */
import { pods } from '../../../apimachinery/gen/resources.js';
import type { Namespace, Pod } from '../../../apimachinery/gen/types.js';
import { approximate } from '../../../apimachinery/int64.js';
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { resourceKeyOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import type { Discovery } from '../discovery.js';
import { ignoring } from '../lib/errors.js';
import { isFinished } from '../lib/pods.js';
import type { Remaining } from './conditions.js';

export interface ContentParts {
  readonly context: ControllerContext;
  readonly discovery: Discovery;
  readonly signal: AbortSignal;
}

interface Tally {
  readonly resources: Map<string, number>;
  readonly finalizers: Map<string, number>;
  readonly failures: string[];
}

/** Deletes what can be deleted now and says what is left. */
export async function deleteContent(parts: ContentParts, namespace: Namespace): Promise<Remaining> {
  const tally: Tally = { resources: new Map(), finalizers: new Map(), failures: [] };
  let served: readonly Resource[] = [];
  let discoveryError: string | undefined;
  try {
    await parts.discovery.refresh(parts.signal);
    served = parts.discovery.namespaced();
  } catch (error) {
    parts.signal.throwIfAborted();
    discoveryError = (error as Error).message;
  }
  const isPods = (resource: Resource) => resourceKeyOf(resource) === resourceKeyOf(pods);
  for (const resource of served.filter(isPods)) await deleteKind(parts, namespace, { resource, tally });
  if (tally.resources.size === 0 && tally.failures.length === 0) {
    for (const resource of served) if (!isPods(resource)) await deleteKind(parts, namespace, { resource, tally });
  }
  return { ...tally, discoveryError };
}

async function deleteKind(
  parts: ContentParts,
  namespace: Namespace,
  of: { readonly resource: Resource; readonly tally: Tally },
): Promise<void> {
  const { resource, tally } = of;
  try {
    const left = await deleteAll(parts, namespace.metadata?.name ?? '', resource);
    if (left.length === 0) return;
    tally.resources.set(`${resource.resource}.${resource.group}`, left.length);
    for (const { metadata } of left) {
      for (const finalizer of metadata?.finalizers ?? [])
        tally.finalizers.set(finalizer, (tally.finalizers.get(finalizer) ?? 0) + 1);
    }
    if (!isExplained(left, namespace, parts.context.clock.now())) {
      tally.failures.push(
        `unexpected items still remain in namespace: ${namespace.metadata?.name ?? ''} for gvr: ${resource.group}/${resource.version}, Resource=${resource.resource}`,
      );
    }
  } catch (error) {
    if (parts.signal.aborted) throw error;
    tally.failures.push((error as Error).message);
  }
}

const unlessUnsupported = ignoring('NotFound', 'MethodNotAllowed');

/** What is left of the kind. A kind that went while we looked has left nothing. */
async function deleteAll(
  { context: { client }, signal }: ContentParts,
  namespace: string,
  resource: Resource,
): Promise<readonly KubeObject[]> {
  const list = async () => {
    const found = await client.list(resource, { namespace, signal }).catch(unlessUnsupported);
    return found?.items ?? [];
  };
  const items = await list();
  const living = items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  if (living.length === 0) return items;
  const isCollection = await client
    .deleteCollection(resource, { namespace, propagationPolicy: 'Background', signal })
    .then(() => true)
    .catch(unlessUnsupported);
  if (isCollection !== true) {
    for (const { metadata } of living)
      await client
        .delete(resource, { namespace, name: metadata?.name ?? '' }, { propagationPolicy: 'Background', signal })
        .catch(unlessUnsupported);
  }
  return list();
}

/** Finalizers hold it, or a pod's grace period is not over. */
function isExplained(left: readonly KubeObject[], namespace: Namespace, now_ms: number): boolean {
  if (left.some(({ metadata }) => (metadata?.finalizers ?? []).length > 0)) return true;
  const graces_s = left.map((object) =>
    isFinished(object)
      ? 0
      : approximate(
          object.metadata?.deletionGracePeriodSeconds ?? (object as Pod).spec?.terminationGracePeriodSeconds ?? 0,
        ),
  );
  return now_ms - Date.parse(namespace.metadata?.deletionTimestamp ?? '') < Math.max(0, ...graces_s) * 1000;
}
