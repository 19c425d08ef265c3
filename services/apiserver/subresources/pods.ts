/** What is special about the subresources of pods: binding (k8s.io/kubernetes/pkg/registry/core/pod/storage). */
import type { ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import { unclassified } from '../../../apimachinery/patch/errors.js';
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
      const handle = await as(call.user).create(
        {
          resource: PODS,
          subresource: 'binding',
          name,
          object,
          dryRun: call.dryRun,
          ...(call.namespace === undefined ? {} : { namespace: call.namespace }),
        },
        call.signal === undefined ? {} : { signal: call.signal },
      );
      return handle.object;
    },
  };
}

/** kube-apiserver gives what is wrong with a target as an error without a class. */
function nodeOf({ kind = '', name }: JsonObject): string {
  const complaints = [
    ...(kind === '' || kind === 'Node' ? [] : [fieldErrors.notSupported('target.kind', kind, ['Node', '<empty>'])]),
    ...(name === undefined || name === '' ? [fieldErrors.required('target.name')] : []),
  ].map(({ field, detail }) => `${field}: ${detail}`);
  if (complaints.length > 0)
    throw unclassified(complaints.length === 1 ? (complaints[0] ?? '') : `[${complaints.join(', ')}]`);
  return String(name);
}

/** The pod that the scheduler saw, in the words of kube-apiserver's store. */
function checkPreconditions(pod: KubeObject, { metadata: wanted = {} }: KubeObject, name: string): void {
  const { namespace = '', uid, resourceVersion } = pod.metadata ?? {};
  const fail = (what: string, of: { readonly asked: string; readonly found: string | undefined }) =>
    apiErrors.conflict(
      { group: '', resource: 'pods' },
      name,
      `StorageError: invalid object, Code: 4, Key: /pods/${namespace}/${name}, ResourceVersion: 0, AdditionalErrorMsg: ` +
        `Precondition failed: ${what} in precondition: ${of.asked}, ${what} in object meta: ${of.found ?? ''}`,
    );
  if (wanted.uid !== undefined && wanted.uid !== '' && wanted.uid !== uid)
    throw fail('UID', { asked: wanted.uid, found: uid });
  const { resourceVersion: version } = wanted;
  if (version !== undefined && version !== '' && version !== resourceVersion)
    throw fail('ResourceVersion', { asked: version, found: resourceVersion });
}

/** Assigns a pod to a node, once: the scheduler's write. */
export function bindingMutation(clock: Clock): ParentMutation {
  return {
    answer: 'success',
    apply(draft, body, call) {
      if (body.metadata?.name !== call.name)
        throw apiErrors.badRequest('name in URL does not match name in Binding object');
      const node = nodeOf(section(body, 'target'));
      const conflict = (why: string) => apiErrors.conflict({ group: '', resource: 'pods/binding' }, call.name, why);
      checkPreconditions(draft, body, call.name);
      if (draft.metadata?.deletionTimestamp !== undefined)
        throw conflict(`pod ${call.name} is being deleted, cannot be assigned to a host`);
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
  const conditions = Array.isArray(status['conditions']) ? (status['conditions'] as JsonObject[]) : [];
  const others = conditions.filter((condition) => condition['type'] !== 'PodScheduled');
  status['conditions'] = [...others, { type: 'PodScheduled', status: 'True', lastTransitionTime: now }];
}
