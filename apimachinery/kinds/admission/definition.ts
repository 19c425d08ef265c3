/** CustomResourceDefinitions: defaults, validation, and which versions may lie in the store. */
import type { Work } from '../../../platform/work.js';
import { approvalErrors } from '../../crd/approval.js';
import { isWrongBundle, knowsReviews } from '../../crd/conversion-errors.js';
import { namesErrors } from '../../crd/name-errors.js';
import { specErrors } from '../../crd/spec-errors.js';
import type { SpecOptions } from '../../crd/spec-errors.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { complaintsOf } from '../lib/complaints.js';
import { conditionTrue } from '../lib/conditions.js';
import { strategyOf } from '../lib/strategy.js';
import {
  at,
  child,
  clone,
  field,
  fill,
  fillZero,
  isRec,
  list,
  rec,
  recs,
  str,
  strs,
  unset,
  type Rec,
} from '../lib/value.js';

function defaultDefinition(crd: Rec): void {
  const spec = child(crd, 'spec');
  const names = spec === undefined ? undefined : field(spec, 'names');
  if (spec === undefined) return;
  if (isRec(names) && !unset(names['kind'])) {
    fillZero(names, 'singular', str(names['kind']).toLowerCase());
    fillZero(names, 'listKind', `${str(names['kind'])}List`);
  }
  fill(spec, 'conversion', { strategy: 'None' });
  const service = at(spec, 'conversion', 'webhook', 'clientConfig', 'service');
  if (isRec(service)) fill(service, 'port', 443);
  const status = field(crd, 'status');
  if (isRec(status) && list(status['storedVersions']).length === 0) {
    const stored = storageVersions(crd);
    if (stored.length > 0) status['storedVersions'] = stored;
  }
}

/** A definition has one; of several the first counts. */
const storageVersions = (crd: Rec): string[] =>
  recs(at(crd, 'spec', 'versions'))
    .filter((version) => version['storage'] === true)
    .map((version) => str(version['name']))
    .slice(0, 1);

/** Versions in which objects may lie in the store: the list only grows here. */
function keepStoredVersions(crd: Rec, before: unknown): void {
  const stored = strs(at(before, 'status', 'storedVersions'));
  const status = child(crd, 'status');
  if (status !== undefined) status['storedVersions'] = [...new Set([...stored, ...storageVersions(crd)])];
}

function* validateDefinition(crd: Rec, context?: StrategyContext): Work<FieldError[]> {
  // What a controller writes into status is not judged by the rules of the spec: it could not mend them. Nobody else
  // writes the names there.
  if (context?.subresource === 'status') return namesErrors(at(crd, 'status', 'acceptedNames'), 'status.acceptedNames');
  const spec = rec(crd['spec']);
  const old = context?.old as Rec | undefined;
  const ofSpec = yield* specErrors(spec, old === undefined ? {} : updateOptions(old));
  return complaintsOf((complaints) => {
    const group = str(spec['group']);
    const name = str(at(crd, 'metadata', 'name'));
    if (old === undefined && name !== `${str(at(spec, 'names', 'plural'))}.${group}`)
      complaints.invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group');
    complaints.add(ofSpec);
    complaints.add(storedVersionsErrors(strs(at(crd, 'status', 'storedVersions')), recs(spec['versions'])));
    complaints.add(
      approvalErrors(
        group,
        at(crd, 'metadata', 'annotations'),
        old === undefined ? undefined : { annotations: at(old, 'metadata', 'annotations') },
      ),
    );
    if (spec['preserveUnknownFields'] === true && at(old, 'spec', 'preserveUnknownFields') !== true)
      complaints.invalid('spec.preserveUnknownFields', true, NO_PRESERVING);
  });
}

const NO_PRESERVING =
  'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';

function updateOptions(old: Rec): SpecOptions {
  return {
    old: rec(old['spec']),
    established: conditionTrue(old, 'Established'),
    checksBundle:
      conditionTrue(old, 'Established') &&
      !isWrongBundle(at(old, 'spec', 'conversion', 'webhook', 'clientConfig', 'caBundle')),
    anyReview: !knowsReviews(list(at(old, 'spec', 'conversion', 'webhook', 'conversionReviewVersions'))),
  };
}

const KEEP_VERSION = (version: string): string =>
  `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ` +
  `ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;

function storedVersionsErrors(stored: readonly string[], versions: readonly Rec[]): FieldError[] {
  const path = 'status.storedVersions';
  const names = new Set(versions.map((version) => str(version['name'])));
  return complaintsOf((complaints) => {
    if (stored.length === 0) return complaints.invalid(path, null, 'must have at least one stored version');
    for (const { storage, name } of versions) {
      if (storage === true && !stored.includes(str(name)))
        complaints.invalid(path, stored, `must have the storage version ${str(name)}`);
    }
    for (const [index, version] of stored.entries())
      if (!names.has(version)) complaints.invalid(`${path}[${index}]`, version, KEEP_VERSION(version));
  });
}

export const definition = strategyOf({
  allowUnconditionalUpdate: false,
  status: true,
  generation: true,
  defaults: defaultDefinition,
  create: (crd) => keepStoredVersions(crd, undefined),
  update: (crd, old, context) => {
    if (context.subresource !== 'status') keepStoredVersions(crd, clone(old));
  },
  validatesAll: true,
  validateWork: validateDefinition,
});
