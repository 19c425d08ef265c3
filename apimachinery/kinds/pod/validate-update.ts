/** What may change in a pod after its creation, by subresource (ValidatePodUpdate and its relatives). */
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import {
  absent,
  at,
  clone,
  field,
  isRec,
  list,
  num,
  optionalNum,
  recs,
  same,
  setOwn,
  str,
  type Rec,
} from '../lib/value.js';
import { podQosClass } from './qos.js';
import { validateTolerationsAdded } from './validate-scheduling.js';

const MAY_CHANGE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
  '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
const MAY_RESIZE = 'only cpu and memory resources are mutable';

function put(target: Rec, name: string, source: Rec): void {
  if (Object.hasOwn(source, name)) setOwn(target, name, clone(source[name]));
  else delete target[name];
}

function copyContainerFields(target: Rec, source: Rec, lists: readonly string[], fields: readonly string[]): void {
  for (const name of lists) {
    const from = recs(source[name]);
    for (const [index, container] of list(target[name]).entries()) {
      const old = from[index];
      if (isRec(container) && old !== undefined) for (const each of fields) put(container, each, old);
    }
  }
}

/** The new spec with everything put back that an update may change: it must then equal the old one. */
function withoutAllowedChanges(spec: Rec, before: Rec): Rec {
  const munged = clone(spec);
  copyContainerFields(munged, before, ['containers', 'initContainers'], ['image']);
  for (const name of ['activeDeadlineSeconds', 'tolerations']) put(munged, name, before);
  if (num(before['terminationGracePeriodSeconds']) < 0 && munged['terminationGracePeriodSeconds'] === 1)
    put(munged, 'terminationGracePeriodSeconds', before);
  const gates = recs(before['schedulingGates']).map((gate) => str(gate['name']));
  if (gates.length > 0) {
    // A pod that waits for its gates may still be steered; the details are checked apart.
    put(munged, 'schedulingGates', before);
    if (onlyAdds(munged['nodeSelector'], before['nodeSelector'])) put(munged, 'nodeSelector', before);
    const affinity = munged['affinity'];
    if (!same(affinity, before['affinity'])) {
      const sameApart = same(
        { ...(isRec(affinity) ? affinity : {}), nodeAffinity: null },
        { ...(isRec(before['affinity']) ? before['affinity'] : {}), nodeAffinity: null },
      );
      if (sameApart && absent(at(before, 'affinity', 'nodeAffinity'))) put(munged, 'affinity', before);
    }
  }
  return munged;
}

function onlyAdds(now: unknown, before: unknown): boolean {
  return Object.entries(isRec(before) ? before : {}).every(([key, value]) => field(now, key) === value);
}

function validateGates(complaints: Complaints, spec: Rec, before: Rec): void {
  const old = new Set(recs(before['schedulingGates']).map((gate) => str(gate['name'])));
  for (const [index, gate] of recs(spec['schedulingGates']).entries()) {
    const name = str(gate['name']);
    if (!old.has(name))
      complaints.forbidden(
        `spec.schedulingGates[${index}].name`,
        'only deletion is allowed, but found new scheduling gate',
      );
  }
}

function validateDeadline(complaints: Complaints, spec: Rec, before: Rec): void {
  const old = optionalNum(before['activeDeadlineSeconds']);
  if (old === undefined) return;
  const now = optionalNum(spec['activeDeadlineSeconds']);
  if (now === undefined)
    complaints.invalid('spec.activeDeadlineSeconds', null, 'must not update from a positive integer to nil value');
  else if (now > old)
    complaints.invalid('spec.activeDeadlineSeconds', now, 'must be less than or equal to previous value');
}

function validatePlain(complaints: Complaints, spec: Rec, before: Rec): void {
  if (list(spec['containers']).length !== list(before['containers']).length) {
    complaints.forbidden('spec.containers', 'pod updates may not add or remove containers');
    return;
  }
  if (list(spec['initContainers']).length !== list(before['initContainers']).length) {
    complaints.forbidden('spec.initContainers', 'pod updates may not add or remove containers');
    return;
  }
  validateDeadline(complaints, spec, before);
  validateGates(complaints, spec, before);
  validateTolerationsAdded(complaints, spec['tolerations'], before['tolerations'], 'spec.tolerations');
  if (!same(withoutAllowedChanges(spec, before), before)) complaints.forbidden('spec', MAY_CHANGE);
}

function validateEphemeral(complaints: Complaints, spec: Rec, before: Rec): void {
  const now = new Map(recs(spec['ephemeralContainers']).map((container) => [str(container['name']), container]));
  for (const old of recs(before['ephemeralContainers'])) {
    const name = str(old['name']);
    const present = now.get(name);
    if (present === undefined)
      complaints.forbidden(
        'spec.ephemeralContainers',
        `existing ephemeral containers ${JSON.stringify(name)} may not be removed`,
      );
    else if (!same(present, old))
      complaints.forbidden(
        'spec.ephemeralContainers',
        `existing ephemeral containers ${JSON.stringify(name)} may not be changed`,
      );
  }
}

const withoutCpuAndMemory = (resources: unknown): Rec => {
  const result: Rec = {};
  for (const side of ['limits', 'requests']) {
    const kept: Rec = {};
    for (const [name, value] of Object.entries(isRec(field(resources, side)) ? (field(resources, side) as Rec) : {})) {
      if (name !== 'cpu' && name !== 'memory') setOwn(kept, name, value);
    }
    result[side] = kept;
  }
  return result;
};

/** What was set once may change its value, not go: the runtime could not take it back. */
function checkKept(
  complaints: Complaints,
  path: string,
  of: { readonly now: unknown; readonly before: unknown },
): void {
  for (const [side, name] of [
    ['requests', 'resource requests'],
    ['limits', 'resource limits'],
  ] as const) {
    const now = field(of.now, side);
    const gone = Object.keys(isRec(field(of.before, side)) ? (field(of.before, side) as Rec) : {}).some(
      (resource) => !isRec(now) || !Object.hasOwn(now, resource),
    );
    if (gone) complaints.forbidden(`${path}.${side}`, `${name} cannot be removed`);
  }
}

function validateResize(complaints: Complaints, pod: Rec, old: Rec): void {
  const [spec, before] = [field(pod, 'spec'), field(old, 'spec')];
  if (!isRec(spec) || !isRec(before)) return;
  const stored = at(old, 'status', 'qosClass') ?? podQosClass(old);
  if (stored !== podQosClass(pod))
    complaints.invalid('spec', stored, 'Pod QOS Class may not change as a result of resizing');
  if (!sameContainers(complaints, spec, before)) return;
  checkResources(complaints, spec, before);
}

/** Same containers in the same order: what is said of their resources goes by their place. */
function sameContainers(complaints: Complaints, spec: Rec, before: Rec): boolean {
  let same = true;
  const refuse = (path: string, what: string): void => {
    complaints.forbidden(path, what);
    same = false;
  };
  for (const name of ['containers', 'initContainers']) {
    const [now, old] = [recs(spec[name]), recs(before[name])];
    if (now.length !== old.length) refuse(`spec.${name}`, `${name} may not be added or removed on resize`);
    else
      for (const [i, container] of now.entries()) {
        if (container['name'] !== old[i]?.['name'])
          refuse(`spec.${name}[${i}].name`, `${name} may not be renamed or reordered on resize`);
      }
  }
  return same;
}

function checkResources(complaints: Complaints, spec: Rec, before: Rec): void {
  const munged = clone(spec);
  copyContainerFields(munged, before, ['containers', 'initContainers'], ['resources', 'resizePolicy']);
  put(munged, 'resources', before);
  if (!same(munged, before)) complaints.forbidden('spec', MAY_RESIZE);
  const old = recs(before['containers']);
  for (const [index, container] of recs(spec['containers']).entries()) {
    checkKept(complaints, `spec.containers[${index}].resources`, {
      now: container['resources'],
      before: old[index]?.['resources'],
    });
    if (!same(withoutCpuAndMemory(container['resources']), withoutCpuAndMemory(old[index]?.['resources']))) {
      complaints.forbidden('spec', MAY_RESIZE);
    }
  }
}

export function validatePodUpdate(pod: Rec, old: Rec, subresource: string | undefined): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(pod, 'spec');
    const before = field(old, 'spec');
    if (!isRec(spec) || !isRec(before)) return;
    switch (subresource) {
      case 'status':
      case 'binding':
        return;
      case 'ephemeralcontainers':
        validateEphemeral(complaints, spec, before);
        return;
      case 'resize':
        validateResize(complaints, pod, old);
        return;
      default:
        validatePlain(complaints, spec, before);
    }
  });
}
