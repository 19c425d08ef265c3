/** What is special about the subresources of pods: binding and eviction (k8s.io/kubernetes/pkg/registry/core/pod/storage). */
import type { PodDisruptionBudget } from '../../../apimachinery/gen/types.js';
import type { ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import type { LabelSelectorObject } from '../../../apimachinery/selector/labels.js';
import { ApiError, apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { toTime } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import type { ObjectReader, ParentMutation, ResourceHandler } from '../ports.js';

const PODS = { group: '', version: 'v1', resource: 'pods' };
const BUDGETS = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };

const section = (object: KubeObject, name: string): JsonObject => {
  const open = object as UnknownObject;
  const value = open[name];
  if (isObject(value)) return value;
  const made: JsonObject = {};
  open[name] = made;
  return made;
};

/** `POST bindings`: the older way to say `pods/{name}/binding`; the body names the pod. */
export function bindingHandler(as: (user: UserInfo) => ObjectService): ResourceHandler {
  return {
    async create(call, object) {
      const { name = '' } = object.metadata ?? {};
      const handle = await as(call.user).create({
        resource: PODS, subresource: 'binding', name, object, dryRun: call.dryRun, ...(call.namespace === undefined ? {} : { namespace: call.namespace }),
      }, call.signal === undefined ? {} : { signal: call.signal });
      return handle.object;
    },
  };
}

/** Assigns a pod to a node, once: the scheduler's write. */
export function bindingMutation(clock: Clock): ParentMutation {
  return {
    answer: 'success',
    apply(draft, body, call) {
      const target = section(body, 'target');
      const node = target['name'];
      if (typeof node !== 'string' || node === '' || (target['kind'] ?? 'Node') !== 'Node') {
        throw apiErrors.invalid({ group: '', kind: 'Binding' }, call.name, [fieldErrors.required('target.name', 'the name of a node')]);
      }
      const conflict = (why: string) => apiErrors.conflict({ group: '', resource: 'pods/binding' }, call.name, why);
      const uid = body.metadata?.uid;
      if (uid !== undefined && uid !== draft.metadata?.uid) throw conflict(`the pod's uid is ${draft.metadata?.uid ?? ''}, not ${uid}`);
      if (draft.metadata?.deletionTimestamp !== undefined) throw conflict(`pod ${call.name} is being deleted, cannot be assigned to a host`);
      const spec = section(draft, 'spec');
      if (typeof spec['nodeName'] === 'string' && spec['nodeName'] !== '') {
        throw conflict(`pod ${call.name} is already assigned to node ${JSON.stringify(spec['nodeName'])}`);
      }
      spec['nodeName'] = node;
      if (draft.metadata !== undefined && body.metadata?.annotations !== undefined) {
        draft.metadata.annotations = { ...draft.metadata.annotations, ...body.metadata.annotations };
      }
      markScheduled(section(draft, 'status'), toTime(clock.now()));
    },
  };
}

function markScheduled(status: JsonObject, now: string): void {
  const conditions = Array.isArray(status['conditions']) ? status['conditions'] as JsonObject[] : [];
  const others = conditions.filter((condition) => condition['type'] !== 'PodScheduled');
  status['conditions'] = [...others, { type: 'PodScheduled', status: 'True', lastTransitionTime: now }];
}

export interface EvictionParts {
  readonly reader: ObjectReader;
  readonly as: (user: UserInfo) => ObjectService;
  readonly clock: Clock;
}

/** Deletes a pod if its disruption budget allows it, and books the disruption. */
export function evictionHandler(parts: EvictionParts): ResourceHandler {
  return {
    async create(call, eviction) {
      const { namespace = '', name, dryRun } = call;
      const pod = await parts.reader.getFresh(PODS, { namespace, name });
      if (pod === undefined) throw apiErrors.notFound(PODS, name);
      const service = parts.as(call.user);
      if (needsBudget(pod)) await book(parts, { service, pod, dryRun });
      const given = section(eviction, 'deleteOptions') as { gracePeriodSeconds?: number; preconditions?: { uid?: string; resourceVersion?: string } };
      await service.delete({
        resource: PODS, namespace, name,
        options: {
          dryRun,
          ...(given.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: given.gracePeriodSeconds }),
          ...(given.preconditions === undefined ? {} : { preconditions: given.preconditions }),
        },
      });
      const status: UnknownObject = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success', code: 201 };
      return status;
    },
  };
}

/** A pod that has ended, is already going, or was never started disrupts nobody. */
function needsBudget(pod: KubeObject): boolean {
  const status = (pod as UnknownObject)['status'];
  const phase = isObject(status) ? status['phase'] : undefined;
  return pod.metadata?.deletionTimestamp === undefined && phase !== 'Succeeded' && phase !== 'Failed' && phase !== 'Pending';
}

async function book(parts: EvictionParts, eviction: { readonly service: ObjectService; readonly pod: KubeObject; readonly dryRun: boolean }): Promise<void> {
  const { namespace = '', name = '', labels } = eviction.pod.metadata ?? {};
  const budgets = parts.reader.list(BUDGETS, { namespace }) as readonly PodDisruptionBudget[];
  const [budget, second] = budgets.filter((one) => labelSelectorOf(one.spec?.selector as LabelSelectorObject | undefined).matches(labels));
  if (budget === undefined) return;
  if (second !== undefined) {
    throw apiErrors.internal('this pod has more than one PodDisruptionBudget, which the eviction subresource does not support');
  }
  const { status } = budget;
  if ((status?.observedGeneration ?? 0) < (budget.metadata?.generation ?? 0)) throw violates('The disruption budget is still being processed by the server.', 10);
  const allowed = status?.disruptionsAllowed ?? 0;
  if (allowed < 1) {
    throw violates(
      `The disruption budget ${budget.metadata?.name ?? ''} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`, 0);
  }
  const booked: UnknownObject = {
    ...budget,
    status: { ...status, disruptionsAllowed: allowed - 1, disruptedPods: { ...status?.disruptedPods, [name]: toTime(parts.clock.now()) } },
  };
  await eviction.service.update({
    resource: BUDGETS, namespace, name: budget.metadata?.name ?? '', subresource: 'status', object: booked, dryRun: eviction.dryRun,
  });
}

function violates(message: string, retryAfterSeconds: number): ApiError {
  const { status } = apiErrors.tooManyRequests('Cannot evict pod as it would violate the pod\'s disruption budget.', retryAfterSeconds);
  return new ApiError({ ...status, details: { ...status.details, causes: [{ reason: 'DisruptionBudget', message }] } });
}
