/** What the server itself decides about an object's metadata (API conventions, "Metadata"). */
import type { KubeObject, ObjectMeta } from '../../../apimachinery/object.js';
import { unclassified } from '../../../apimachinery/patch/errors.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { toTime } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type { Kind } from '../../../apimachinery/kind.js';

/** No vowels, and nothing that looks like another: names that spell nothing (k8s.io/apimachinery/pkg/util/rand). */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const NAME_LENGTH_MAX = 63;

function generateName(base: string, random: Random): string {
  let suffix = '';
  for (let i = 0; i < SUFFIX_LENGTH; i++) suffix += NAME_ALPHABET[random.int(NAME_ALPHABET.length)] ?? '';
  return `${base.slice(0, NAME_LENGTH_MAX - SUFFIX_LENGTH)}${suffix}`;
}

/** The draft's metadata, made if there is none. */
export function metaOf(draft: KubeObject): ObjectMeta {
  draft.metadata ??= {};
  return draft.metadata;
}

/**
 * Namespace and name of body and URL must agree; what the body leaves out, the URL fills in. A namespace on what has
 * none is dropped: many charts write one
 * (k8s.io/apiserver/pkg/registry/rest.EnsureObjectNamespaceMatchesRequestNamespace).
 */
export function checkScope(
  draft: KubeObject,
  scope: { readonly namespace: string | undefined; readonly name?: string },
): void {
  const meta = metaOf(draft);
  if (scope.namespace === undefined) {
    delete meta.namespace;
  } else {
    if (meta.namespace === undefined || meta.namespace === '') meta.namespace = scope.namespace;
    if (meta.namespace !== scope.namespace) {
      throw apiErrors.badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      );
    }
  }
  if (scope.name === undefined) return;
  if (meta.name === undefined || meta.name === '') meta.name = scope.name;
  if (meta.name !== scope.name) {
    throw apiErrors.badRequest(
      `the name of the object (${String(meta.name)}) does not match the name on the URL (${scope.name})`,
    );
  }
}

/**
 * An error of kube-apiserver's store that nobody translates: a 500 without a reason, which clients know by its message.
 */
function versionOfNew(): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    code: 500,
    message: 'resourceVersion should not be set on objects to be created',
  });
}

/**
 * Before anything looks at a new object: what clients may not choose is cleared. In a dry run nothing would come to the
 * store, which refuses a version.
 */
export function clearForCreate(draft: KubeObject, { dryRun }: { readonly dryRun: boolean }): void {
  const meta = metaOf(draft);
  if (!dryRun && meta.resourceVersion !== undefined && meta.resourceVersion !== '') throw versionOfNew();
  delete meta.resourceVersion;
  delete meta.uid;
  delete meta.creationTimestamp;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete (meta as Record<string, unknown>)['selfLink'];
}

export function fillForCreate(draft: KubeObject, context: { readonly now_ms: number; readonly random: Random }): void {
  const meta = metaOf(draft);
  meta.uid = context.random.uuid();
  meta.creationTimestamp = toTime(context.now_ms);
  if ((meta.name === undefined || meta.name === '') && meta.generateName !== undefined && meta.generateName !== '') {
    meta.name = generateName(meta.generateName, context.random);
  }
}

export const otherUid = (uid: string, stored: string | undefined): string =>
  `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${stored ?? ''}`;

/**
 * A replacement that names another object than the one at the key. kube-apiserver's store says so, and names the key.
 */
export function checkReplacedUid(
  { metadata: { uid = '' } = {} }: KubeObject,
  old: KubeObject,
  where: { readonly kind: Kind; readonly name: string; readonly key: string },
): void {
  if (uid === '' || uid === old.metadata?.uid) return;
  throw apiErrors.conflict(
    where.kind,
    where.name,
    `StorageError: invalid object, Code: 4, Key: ${where.key}, ResourceVersion: 0, AdditionalErrorMsg: ${otherUid(uid, old.metadata?.uid)}`,
  );
}

const KEPT_ON_UPDATE = [
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'generateName',
] as const;

/** What only the server changes stays as it is stored, whatever the client sent. */
export function keepForUpdate(draft: KubeObject, old: KubeObject, kind: Kind): void {
  const meta = metaOf(draft);
  const stored = old.metadata ?? {};
  const fields = meta as Record<string, unknown>;
  if (meta.uid !== undefined && meta.uid !== '' && meta.uid !== stored.uid) {
    throw apiErrors.conflict(kind, meta.name ?? '', otherUid(meta.uid, stored.uid));
  }
  if (stored.uid !== undefined) meta.uid = stored.uid;
  for (const field of KEPT_ON_UPDATE) {
    if (stored[field] === undefined) delete fields[field];
    else fields[field] = stored[field];
  }
  delete fields['selfLink'];
}

export const modified = (kind: Kind, name: string) =>
  apiErrors.conflict(
    kind,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

const UINT64_MAX = 2n ** 64n - 1n;

/**
 * The version that a write is conditional on; '' for none, as 0 is none. Throws what kube-apiserver answers for a
 * version that is no number.
 */
export function conditionOf({ resourceVersion: version = '' }: Pick<ObjectMeta, 'resourceVersion'> = {}): string {
  if (version === '') return '';
  const refused = (why: string): ApiError =>
    unclassified(`strconv.ParseUint: parsing ${JSON.stringify(version.slice(0, 64))}: ${why}`);
  if (!/^\d+$/.test(version)) throw refused('invalid syntax');
  const number = version.length > 64 ? UINT64_MAX + 1n : BigInt(version);
  if (number > UINT64_MAX) throw refused('value out of range');
  return number === 0n ? '' : number.toString();
}

/** Kubernetes names the resource here, not the kind. */
export function versionMissing({ kind, name }: { readonly kind: Kind; readonly name: string }): ApiError {
  return apiErrors.invalid({ group: kind.group, kind: kind.resource }, name, [
    {
      type: 'FieldValueInvalid',
      field: 'metadata.resourceVersion',
      detail: 'Invalid value: 0: must be specified for an update',
    },
  ]);
}
