/**
 * Validation of `metadata`, the same for every kind (k8s.io/apimachinery/pkg/api/validation/objectmeta.go); only the
 * form of names differs. The registry calls it for built-in and custom kinds alike, before the kind's own validation.
 */
import { dns1123Label, dns1123Subdomain, pathSegment, qualifiedName } from '../names.js';
import type { KubeObject } from '../object.js';
import type { Kind } from '../kind.js';
import type { FieldError } from '../status.js';
import { knowsFinalizers } from './metadata-repeats.js';
import { canonicalAddress } from './lib/addresses.js';
import { complaintsOf, type Complaints } from './lib/complaints.js';
import { validateLabels } from './lib/label-validation.js';
import { absent, at, entries, field, isRec, list, num, recs, same, str, strs, unset, type Rec } from './lib/value.js';

type NameRule = (name: string) => readonly string[];

/** Kinds whose names are no DNS subdomains. */
const NAME_RULES: Readonly<Record<string, NameRule>> = {
  '/namespaces': dns1123Label,
  '/services': dns1123Label,
  'apps/statefulsets': dns1123Label,
  'rbac.authorization.k8s.io/roles': pathSegment,
  'rbac.authorization.k8s.io/clusterroles': pathSegment,
  'rbac.authorization.k8s.io/rolebindings': pathSegment,
  'rbac.authorization.k8s.io/clusterrolebindings': pathSegment,
  // A ClusterTrustBundle is named `signer:name`.
  'certificates.k8s.io/clustertrustbundles': pathSegment,
  'apiregistration.k8s.io/apiservices': pathSegment,
  // Kinds whose own validation does not look at names: what a URL can hold.
  '/events': pathSegment,
  'certificates.k8s.io/certificatesigningrequests': pathSegment,
  'policy/poddisruptionbudgets': pathSegment,
  'networking.k8s.io/ipaddresses': canonicalAddress,
  'internal.apiserver.k8s.io/storageversions': pathSegment,
};

const ANNOTATIONS_BYTES_MAX = 256 * 1024;
const FINALIZERS = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);
const utf8 = new TextEncoder();

type KindName = Pick<Kind, 'group' | 'resource' | 'namespaced' | 'isCustom'>;

function nameRule(kind: KindName): NameRule {
  const key = `${kind.group}/${kind.resource}`;
  return (Object.hasOwn(NAME_RULES, key) ? NAME_RULES[key] : undefined) ?? dns1123Subdomain;
}

function validateName(complaints: Complaints, metadata: Rec, kind: KindName, rule: NameRule): void {
  const prefix = str(metadata['generateName']);
  // The end of a prefix may be what a name may not end with, since more follows.
  if (prefix !== '') complaints.form('metadata.generateName', prefix, (value) => rule(value.replace(/-$/, 'a')));
  if (unset(metadata['name'])) complaints.required('metadata.name', 'name or generateName is required');
  else complaints.form('metadata.name', metadata['name'], rule);
  if (!kind.namespaced) {
    if (!unset(metadata['namespace'])) complaints.forbidden('metadata.namespace', 'not allowed on this type');
  } else if (unset(metadata['namespace'])) {
    complaints.required('metadata.namespace');
  } else {
    complaints.form('metadata.namespace', metadata['namespace'], dns1123Label);
  }
}

export function validateAnnotations(complaints: Complaints, annotations: unknown, path: string): void {
  let bytes = 0;
  for (const [key, value] of entries(annotations)) {
    // Keys compare without case: `A/b` and `a/b` are told apart, but capitals may stand in the prefix.
    complaints.add(
      qualifiedName(key.toLowerCase()).map((why) => ({
        type: 'FieldValueInvalid' as const,
        field: path,
        detail: `Invalid value: ${JSON.stringify(key)}: ${why}`,
      })),
    );
    bytes += utf8.encode(key).byteLength + utf8.encode(str(value)).byteLength;
  }
  if (bytes > ANNOTATIONS_BYTES_MAX) complaints.tooLong(path, ANNOTATIONS_BYTES_MAX);
}

function validateOwners(complaints: Complaints, metadata: Rec): void {
  let controller: Rec | undefined;
  for (const owner of recs(metadata['ownerReferences'])) {
    // Kubernetes names the list, not the place in it.
    const path = 'metadata.ownerReferences';
    const apiVersion = str(owner['apiVersion']);
    if (apiVersion === '' || apiVersion.split('/').length > 2 || apiVersion.endsWith('/')) {
      complaints.invalid(`${path}.apiVersion`, apiVersion, 'version must not be empty');
    }
    for (const name of ['kind', 'name', 'uid']) {
      if (unset(owner[name])) complaints.invalid(`${path}.${name}`, '', 'must not be empty');
    }
    if (apiVersion === 'v1' && owner['kind'] === 'Event')
      complaints.invalid(path, owner, 'v1, Kind=Event is disallowed from being an owner');
    if (owner['controller'] !== true) continue;
    if (controller !== undefined) {
      complaints.invalid(
        'metadata.ownerReferences',
        metadata['ownerReferences'],
        'Only one reference can have Controller set to true. Found "true" in references for ' +
          `${str(controller['kind'])}/${str(controller['name'])} and ${str(owner['kind'])}/${str(owner['name'])}`,
      );
    }
    controller ??= owner;
  }
}

function validateFinalizers(complaints: Complaints, metadata: Rec, areKnown: boolean): void {
  const names = strs(metadata['finalizers']);
  for (const [index, name] of names.entries()) {
    complaints.form('metadata.finalizers', name, qualifiedName);
    if (areKnown && !name.includes('/') && !FINALIZERS.has(name)) {
      complaints.invalid(
        `metadata.finalizers[${index}]`,
        name,
        'name is neither a standard finalizer name nor is it fully qualified',
      );
    }
  }
  if (names.includes('orphan') && names.includes('foregroundDeletion')) {
    complaints.invalid('metadata.finalizers', names, 'finalizer orphan and foregroundDeletion cannot be both set');
  }
}

function validateShape(complaints: Complaints, object: KubeObject): Rec {
  const metadata = at(object, 'metadata');
  if (!isRec(metadata)) {
    complaints.required('metadata');
    return {};
  }
  return metadata;
}

/** All that is wrong with an object's metadata, whether it is created or updated. */
export function validateMetadata(object: KubeObject, kind: KindName, rule: NameRule = nameRule(kind)): FieldError[] {
  return complaintsOf((complaints) => {
    const metadata = validateShape(complaints, object);
    validateName(complaints, metadata, kind, rule);
    complaints.atLeast('metadata.generation', metadata['generation']);
    validateLabels(complaints, metadata['labels'], 'metadata.labels');
    validateAnnotations(complaints, metadata['annotations'], 'metadata.annotations');
    validateOwners(complaints, metadata);
    validateFinalizers(complaints, metadata, knowsFinalizers(kind));
  });
}

/** Metadata of an object within another. Its name need not be there, and may be anything that a path can hold. */
export function validateEmbeddedMetadata(metadata: unknown, path: string): FieldError[] {
  if (absent(metadata)) return [];
  if (!isRec(metadata))
    return complaintsOf((complaints) =>
      complaints.invalid(
        path,
        metadata,
        `json: cannot unmarshal ${jsonName(metadata)} into Go value of type v1.ObjectMeta`,
      ),
    );
  const kind = { group: '', resource: 'embedded', namespaced: !unset(metadata['namespace']), isCustom: true };
  const named = unset(metadata['name']) ? { ...metadata, name: 'fakename' } : metadata;
  return validateMetadata({ metadata: named }, kind, pathSegment).map((error) => ({
    ...error,
    field: error.field.replace(/^metadata/, () => path),
  }));
}

const jsonName = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

const FIXED = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'];

/** What an update changed in metadata and may not. Fields that the client left out count as unchanged. */
export function validateMetadataUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  return complaintsOf((complaints) => {
    const metadata = validateShape(complaints, object);
    const before = at(old, 'metadata');
    for (const name of FIXED) {
      const value = metadata[name];
      if (!absent(value) && value !== '' && !same(value, field(before, name), name))
        complaints.invalid(`metadata.${name}`, value, 'field is immutable');
    }
    if (num(metadata['generation']) < num(field(before, 'generation'))) {
      complaints.invalid('metadata.generation', metadata['generation'], 'must not be decremented');
    }
    if (!absent(field(before, 'deletionTimestamp'))) {
      const known = new Set(list(field(before, 'finalizers')));
      const added = strs(metadata['finalizers']).filter((name) => !known.has(name));
      if (added.length > 0) {
        complaints.forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
        );
      }
    }
  });
}
