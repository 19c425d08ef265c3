/** What is special about the subresources of pods: binding (k8s.io/kubernetes/pkg/registry/core/pod/storage). */
import type { ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { toTime } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import type { ParentMutation, ResourceHandler } from '../ports.js';

const PODS = { group: '', version: 'v1', resource: 'pods' };

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
      if ((body.metadata?.name ?? '') !== '' && body.metadata?.name !== call.name) throw apiErrors.badRequest('name in URL does not match name in Binding object');
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
