/**
 * pods/eviction: deletes a pod if its disruption budget allows it, and books the disruption
 * (k8s.io/kubernetes/pkg/registry/core/pod/storage, eviction).
 */
import { DISRUPTION_ALLOWED, SYNC_FAILED, withDisruptionAllowed } from '../../../apimachinery/disruption.js';
import type { Pod, PodCondition, PodDisruptionBudget } from '../../../apimachinery/gen/types.js';
import type { DeleteOptions, ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import type { LabelSelectorObject } from '../../../apimachinery/selector/labels.js';
import { ApiError, apiErrors, fieldErrors, isApiError } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import { deleteOptionErrors } from '../registry/delete-options.js';
import { unclassified } from '../../../apimachinery/patch/errors.js';
import { toTime } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import type { ObjectReader, ResourceCall, ResourceHandler } from '../ports.js';

const PODS = { group: '', version: 'v1', resource: 'pods' };
const BUDGETS = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };

/** What others write meanwhile is read again so often, with so much time between. */
const ATTEMPTS_MAX = 20;
const RETRY_MS = 500;
/** More disruptions than the controller has confirmed: something is wrong with it. */
const DISRUPTED_PODS_MAX = 2000;
const DISRUPTION_TARGET = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'EvictionByEvictionAPI',
  message: 'Eviction API: evicting',
} as const;

export interface EvictionParts {
  readonly reader: ObjectReader;
  readonly as: (user: UserInfo) => ObjectService;
  readonly clock: Clock;
}

interface Eviction extends EvictionParts {
  readonly service: ObjectService;
  readonly namespace: string;
  readonly name: string;
  readonly options: DeleteOptions;
  readonly signal: AbortSignal | undefined;
}

export function evictionHandler(parts: EvictionParts): ResourceHandler {
  return {
    async create(call, body) {
      const { namespace = '', name } = call;
      await evict({
        ...parts,
        service: parts.as(call.user),
        namespace,
        name,
        options: optionsOf(call, body),
        signal: call.signal,
      });
      const status: UnknownObject = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success', code: 201 };
      return status;
    },
  };
}

function optionsOf(call: ResourceCall, body: KubeObject): DeleteOptions {
  if (body.metadata?.name !== call.name)
    throw apiErrors.badRequest('name in URL does not match name in Eviction object');
  const open = (body as UnknownObject)['deleteOptions'];
  const given = isObject(open) ? open : {};
  const unsafe = 'ignoreStoreReadErrorWithClusterBreakingPotential';
  if (given[unsafe] === true) {
    throw apiErrors.invalid({ group: 'policy', kind: 'Eviction' }, call.name, [
      fieldErrors.invalid(
        `deleteOptions.${unsafe}`,
        true,
        'can not be set for pod eviction, try after removing the option',
      ),
    ]);
  }
  const { gracePeriodSeconds, propagationPolicy, preconditions } = given as DeleteOptions;
  const dryRun: readonly unknown[] = Array.isArray(given['dryRun']) ? given['dryRun'] : [];
  if (call.dryRun && dryRun.length > 0 && !(dryRun.length === 1 && dryRun[0] === 'All')) {
    throw unclassified(`Non-matching dry-run options in request and content: [All] and [${dryRun.join(' ')}]`);
  }
  const errors = deleteOptionErrors({ propagationPolicy, orphanDependents: given['orphanDependents'], dryRun });
  if (errors.length > 0) throw apiErrors.invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  return {
    dryRun: call.dryRun || dryRun.length > 0,
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(preconditions === undefined ? {} : { preconditions }),
  };
}

async function evict(eviction: Eviction): Promise<void> {
  const pod = await removeUnguarded(eviction);
  if (pod === undefined) return;
  const budget = budgetOf(eviction.reader, pod);
  if (budget === undefined) return remove(eviction, pod, eviction.options);
  if (!isReady(pod) && mayGoUnhealthy(budget)) return removeUnhealthy(eviction, pod, budget);
  await retried(eviction, () => book(eviction, budget.metadata?.name ?? '')).catch((error: unknown) => {
    if (!isApiError(error, 'Conflict')) throw error;
    throw apiErrors.timeout(
      `couldn't update PodDisruptionBudget ${JSON.stringify(budget.metadata?.name ?? '')} due to conflicts`,
      10,
    );
  });
  return remove(eviction, pod, eviction.options);
}

/**
 * Deletes a pod that has ended, is going already, or was never started: that disrupts nobody. Otherwise gives the pod
 * back.
 */
async function removeUnguarded(eviction: Eviction): Promise<Pod | undefined> {
  const { reader, namespace, name, options } = eviction;
  const isFixed = options.preconditions?.resourceVersion !== undefined;
  const attempt = async () => {
    const pod = (await reader.getFresh(PODS, { namespace, name })) as Pod | undefined;
    if (pod === undefined) throw apiErrors.notFound(PODS, name);
    const isOver =
      pod.metadata?.deletionTimestamp !== undefined ||
      pod.status?.phase === 'Succeeded' ||
      pod.status?.phase === 'Failed';
    if (!isOver && pod.status?.phase !== 'Pending') return pod;
    // A pod that is pending must not start between the look and the deletion.
    await remove(eviction, pod, isOver || isFixed ? options : sameVersion(options, pod));
    return undefined;
  };
  return isFixed ? attempt() : retried(eviction, attempt);
}

async function removeUnhealthy(eviction: Eviction, pod: Pod, budget: PodDisruptionBudget): Promise<void> {
  const { options } = eviction;
  await remove(eviction, pod, sameVersion(options, pod)).catch((error: unknown) => {
    // It may have become healthy: the client asks again.
    if (isApiError(error, 'Conflict') && options.preconditions?.resourceVersion === undefined)
      throw stillProcessed(budget);
    throw error;
  });
}

const sameVersion = (options: DeleteOptions, pod: Pod): DeleteOptions => ({
  ...options,
  preconditions: { ...options.preconditions, resourceVersion: pod.metadata?.resourceVersion ?? '' },
});

const isReady = (pod: Pod) => pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';

/**
 * A pod that is not ready counts for nothing: it may go where the policy says always, or while the others are enough.
 */
function mayGoUnhealthy({ spec, status }: PodDisruptionBudget): boolean {
  const desired = status?.desiredHealthy ?? 0;
  return (
    spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' || ((status?.currentHealthy ?? 0) >= desired && desired > 0)
  );
}

async function retried<T>({ clock, signal }: Eviction, attempt: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS_MAX; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (!isApiError(error, 'Conflict') || left <= 1) throw error;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** Says why in the pod's status, then deletes it. */
async function remove(eviction: Eviction, pod: Pod, options: DeleteOptions): Promise<void> {
  const { service, namespace, name } = eviction;
  let { preconditions } = options;
  // Of another pod under the same name nothing is said: the deletion below refuses it.
  const isThisPod = preconditions?.uid === undefined || preconditions.uid === pod.metadata?.uid;
  if (options.dryRun !== true && isThisPod) {
    const version = preconditions?.resourceVersion;
    const written = await service.patch({
      resource: PODS,
      namespace,
      name,
      subresource: 'status',
      type: 'strategic',
      patch: {
        metadata: version === undefined ? {} : { resourceVersion: version },
        status: { conditions: [conditionOf(pod, eviction.clock)] },
      },
    });
    if (version !== undefined) preconditions = { ...preconditions, resourceVersion: written.resourceVersion };
  }
  await service.delete({
    resource: PODS,
    namespace,
    name,
    options: { ...options, ...(preconditions === undefined ? {} : { preconditions }) },
  });
}

function conditionOf(pod: Pod, clock: Clock): PodCondition {
  const old = pod.status?.conditions?.find(({ type }) => type === DISRUPTION_TARGET.type);
  return {
    ...DISRUPTION_TARGET,
    lastTransitionTime: (old?.status === 'True' ? old.lastTransitionTime : undefined) ?? toTime(clock.now()),
  };
}

function budgetOf(reader: ObjectReader, pod: Pod): PodDisruptionBudget | undefined {
  const { namespace = '', labels } = pod.metadata ?? {};
  const budgets = reader.list(BUDGETS, { namespace }) as readonly PodDisruptionBudget[];
  const [budget, second] = budgets.filter(({ spec }) =>
    labelSelectorOf(spec?.selector as LabelSelectorObject | undefined).matches(labels),
  );
  if (second === undefined) return budget;
  const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
  throw new ApiError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 });
}

async function book({ reader, service, clock, namespace, name, options }: Eviction, budgetName: string): Promise<void> {
  const budget = (await reader.getFresh(BUDGETS, { namespace, name: budgetName })) as PodDisruptionBudget | undefined;
  if (budget === undefined) throw apiErrors.notFound(BUDGETS, budgetName);
  checkBudget(budget);
  if (options.dryRun === true) return;
  const now = toTime(clock.now());
  const { status } = budget;
  const disruptionsAllowed = (status?.disruptionsAllowed ?? 0) - 1;
  const conditions =
    disruptionsAllowed > 0
      ? status?.conditions
      : withDisruptionAllowed(status?.conditions ?? [], {
          disruptionsAllowed,
          observedGeneration: status?.observedGeneration ?? 0,
          now,
        });
  const object: UnknownObject = {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed,
      disruptedPods: { ...status?.disruptedPods, [name]: now },
      ...(conditions === undefined ? {} : { conditions }),
    },
  };
  await service.update({ resource: BUDGETS, namespace, name: budgetName, subresource: 'status', object });
}

function checkBudget(budget: PodDisruptionBudget): void {
  const { metadata, status } = budget;
  const allowed = status?.disruptionsAllowed ?? 0;
  const forbidden = (why: string) => apiErrors.forbidden(BUDGETS, metadata?.name ?? '', why);
  if ((status?.observedGeneration ?? 0) < (metadata?.generation ?? 0)) throw stillProcessed(budget);
  if (allowed < 0) throw forbidden('pdb disruptions allowed is negative');
  if (Object.keys(status?.disruptedPods ?? {}).length > DISRUPTED_PODS_MAX) {
    throw forbidden('DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  }
  if (allowed === 0) throw violates(whyNot(budget));
}

function whyNot({ metadata, status }: PodDisruptionBudget): string {
  const budget = `The disruption budget ${metadata?.name ?? ''}`;
  const condition = status?.conditions?.find(({ type }) => type === DISRUPTION_ALLOWED);
  const told = condition?.status === 'False' && condition.message !== '' ? condition : undefined;
  const [desired, current] = [status?.desiredHealthy ?? 0, status?.currentHealthy ?? 0];
  if (told?.reason === SYNC_FAILED)
    return `${budget} does not allow evicting pods currently because it failed sync: ${told.message}`;
  if (current <= desired) return `${budget} needs ${desired} healthy pods and has ${current} currently`;
  return told === undefined
    ? `${budget} does not allow evicting pods currently`
    : `${budget} does not allow evicting pods currently (${told.reason}): ${told.message}`;
}

const stillProcessed = ({ metadata }: PodDisruptionBudget) =>
  violates(`The disruption budget ${metadata?.name ?? ''} is still being processed by the server.`, 10);

function violates(message: string, retryAfterSeconds?: number): ApiError {
  const { status } = apiErrors.tooManyRequests(
    "Cannot evict pod as it would violate the pod's disruption budget.",
    retryAfterSeconds ?? 0,
  );
  const { retryAfterSeconds: _, ...details } = status.details ?? {};
  return new ApiError({
    ...status,
    details: {
      ...details,
      causes: [{ reason: 'DisruptionBudget', message }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
  });
}
