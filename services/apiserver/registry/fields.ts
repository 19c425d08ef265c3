/** Who owns which field: managedFields on every write, and server-side apply. */
import { applyPatchWork, trackUpdateWork, withManagedFields } from '../../../apimachinery/apply/apply.js';
import type { FieldOwner, ResetPath } from '../../../apimachinery/apply/apply.js';
import type { KindFacts, VersionView } from '../../../apimachinery/apply/versions.js';
import { withTypes } from '../../../apimachinery/crd/conform.js';
import type { Kind, Scheme } from '../../../apimachinery/kind.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { ALL_METADATA } from '../../../apimachinery/kinds/lib/strategy.js';
import { isApiError } from '../../../apimachinery/status.js';
import { resolverOf } from '../../../apimachinery/schema/resolve.js';
import { toTime } from '../../../platform/clock.js';
import { cloneJson } from '../../../apimachinery/value.js';
import { paced, step } from './context.js';
import type { Call } from './context.js';
import { normaliseObject } from './model.js';
import { withScale } from './scale.js';
import type { Target } from './target.js';

/** The object with its owners after a create, update or patch by this call's manager. */
export async function trackFields(
  call: Call,
  target: Target,
  after: KubeObject,
  before: KubeObject | undefined,
): Promise<KubeObject> {
  const { scheme } = call.registry;
  // As it would be stored: what is left out as empty is not owned, and who creates an object does not own what an empty
  // one has too.
  const stored = cloneJson(after);
  await step(call, 'finding what is empty');
  normaliseObject(scheme, target.kind, stored);
  const empty: KubeObject = {};
  if (before === undefined) normaliseObject(scheme, target.kind, empty);
  const request = {
    before,
    empty,
    after: stored,
    owner: ownerOf(call, target),
    resetFields: resetFields(target, { ...before, ...after }),
  };
  try {
    return withManagedFields(
      after,
      await paced(call, 'finding the owners of fields', trackUpdateWork(request, factsOf(call, target))),
    );
  } catch (error) {
    // Of what has no such form nobody owns a part: validation says what is wrong with it.
    if (!isApiError(error, 'BadRequest')) throw error;
    return withManagedFields(after, before?.metadata?.managedFields ?? []);
  }
}

export interface Apply {
  readonly live: KubeObject | undefined;
  readonly applied: KubeObject;
  readonly force: boolean;
}

/** A fresh object with what is applied merged in. Throws Conflict for fields that others own. */
export function applyFields(call: Call, target: Target, { live, applied, force }: Apply): Promise<KubeObject> {
  const { resourceVersion: _, ...metadata } = applied.metadata ?? {};
  return paced(
    call,
    'changing',
    applyPatchWork(
      {
        live,
        config: { ...applied, metadata },
        owner: ownerOf(call, target),
        force,
        resetFields: resetFields(target, applied),
      },
      factsOf(call, target),
    ),
  );
}

/**
 * The parent with the replicas of an applied Scale: whoever applies them owns them, through the subresource. Throws
 * Conflict like applyFields.
 */
export function applyScale(call: Call, target: Target, { live, applied, force }: Required<Apply>): Promise<KubeObject> {
  const { kind } = target;
  const config = withScale(
    kind,
    { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: live?.metadata?.name ?? '' } },
    applied,
  );
  return paced(
    call,
    'changing',
    applyPatchWork(
      {
        live,
        config,
        owner: ownerOf(call, target),
        force,
        view: { apiVersion: 'autoscaling/v1', path: '.spec.replicas' },
      },
      factsOf(call, target),
    ),
  );
}

/**
 * What the endpoint does not let a client set: status on the object; on status all but status, and the metadata that
 * stays as it is stored; of a pod's other parts neither metadata nor status.
 */
function resetFields({ kind, subresource }: Target, object: KubeObject): ResetPath[] {
  if (subresource !== undefined && PARTS_OF_SPEC.has(subresource.name))
    return [['status'], ...ALL_METADATA.map((field): ResetPath => ['metadata', field])];
  if (subresource?.name !== 'status') return kind.subresources.some((sub) => sub.name === 'status') ? [['status']] : [];
  return [
    ...Object.keys(object)
      .filter((field) => !STATUS_KEEPS.has(field))
      .map((field): ResetPath => [field]),
    ...(kind.strategy.statusKeeps ?? []).map((field): ResetPath => ['metadata', field]),
  ];
}

const PARTS_OF_SPEC = new Set(['ephemeralcontainers', 'resize']);
const STATUS_KEEPS = new Set(['apiVersion', 'kind', 'metadata', 'status']);

function ownerOf(call: Call, target: Target): FieldOwner {
  // Whoever scales is noted without a time, as kube-apiserver's ScaleHandler leaves it.
  const time = target.subresource?.name === 'scale' ? '' : toTime(call.registry.clock.now());
  return {
    manager: call.fieldManager,
    apiVersion: apiVersionOf(target.kind),
    time,
    ...(target.subresource === undefined ? {} : { subresource: target.subresource.name }),
  };
}

function factsOf(call: Call, { kind }: Target): KindFacts {
  const { scheme } = call.registry;
  return {
    schema: kind.isCustom === true ? withTypes(kind.schema) : kind.schema,
    resolver: resolverOf(scheme),
    inVersion: (apiVersion, object) => viewOf(apiVersion, { kind, object, scheme }),
  };
}

/** By way of the stored form. Versions of a custom resource have one shape, whatever their schemas. */
function viewOf(
  apiVersion: string,
  { kind, object, scheme }: { readonly kind: Kind; readonly object: KubeObject; readonly scheme: Scheme },
): VersionView | undefined {
  const [version = '', group = ''] = apiVersion.split('/').toReversed();
  const other = scheme.byKind({ group, version, kind: kind.kind });
  if (other === undefined || other.storagePrefix !== kind.storagePrefix) return undefined;
  if (kind.isCustom === true) return { object, schema: withTypes(other.schema) };
  if (other === kind) return { object, schema: other.schema };
  const stored = kind.conversion?.toStorage(cloneJson(object)) ?? cloneJson(object);
  return { object: other.conversion?.fromStorage(stored) ?? stored, schema: other.schema };
}
