/** Validation of ResourceClaims, their templates and DeviceClasses (k8s.io/kubernetes/pkg/apis/resource/validation). */
import type { StrategyContext } from '../../kind.js';
import { dns1123Subdomain, qualifiedName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { absent, at, field, isRec, num, recs, same, str, type Rec } from '../lib/value.js';
import { validateTemplateMeta } from '../pod/validate-template.js';
import { validateAdminRequests } from './admin-access.js';
import { eachItem, eachOfSet, validateFullName, validateLabel, validateToleration } from './lists.js';
import { requestNames, validateRequestRefs, type RequestNames } from './requests.js';
import { validateConfiguration, validateSelectors } from './selectors.js';
import { shownClaimSpec, shownTemplateSpec } from './shown.js';
import { validateClaimStatus } from './validate-claim-status.js';

const REQUESTS_MAX = 32;
const CONSTRAINTS_MAX = 32;
const CONFIGS_MAX = 32;
const ALTERNATIVES_MAX = 8;

function validateMode(complaints: Complaints, wanted: Rec, path: string): void {
  const { allocationMode: mode } = wanted;
  const count = num(wanted['count']);
  if (mode === 'All') {
    if (count !== 0) complaints.invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'");
  } else if (mode === 'ExactCount') {
    if (count <= 0) complaints.invalid(`${path}.count`, count, 'must be greater than zero');
  } else {
    complaints.unsupported(`${path}.allocationMode`, mode, ['All', 'ExactCount']);
  }
}

/** What devices a request wants, whether it is the only wish or one of several. */
function validateWanted(complaints: Complaints, wanted: Rec, path: string): void {
  complaints.requiredForm(`${path}.deviceClassName`, wanted['deviceClassName'], dns1123Subdomain);
  validateSelectors(complaints, wanted['selectors'], `${path}.selectors`);
  validateMode(complaints, wanted, path);
  for (const [index, toleration] of recs(wanted['tolerations']).entries())
    validateToleration(complaints, toleration, `${path}.tolerations[${index}]`);
}

const nameOf = ({ name }: Rec): string => str(name);

function validateRequest(complaints: Complaints, request: Rec, path: string): void {
  validateLabel(complaints, request['name'], `${path}.name`);
  const alternatives = recs(request['firstAvailable']);
  const exactly = request['exactly'];
  if (alternatives.length > 0 && isRec(exactly)) {
    complaints.invalid(
      path,
      null,
      'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set',
    );
  } else if (alternatives.length > 0) {
    eachOfSet(
      complaints,
      alternatives,
      { path: `${path}.firstAvailable`, max: ALTERNATIVES_MAX, keyOf: nameOf },
      (wanted, here) => {
        validateLabel(complaints, wanted['name'], `${here}.name`);
        validateWanted(complaints, wanted, here);
      },
    );
  } else if (isRec(exactly)) {
    validateWanted(complaints, exactly, `${path}.exactly`);
  } else {
    complaints.required(path, 'exactly one of `exactly` or `firstAvailable` is required');
  }
}

function validateConstraint(complaints: Complaints, constraint: Rec, path: string, names: RequestNames): void {
  const { matchAttribute: match, distinctAttribute: distinct } = constraint;
  validateRequestRefs(complaints, constraint['requests'], `${path}.requests`, names);
  if (!absent(match)) validateFullName(complaints, str(match), `${path}.matchAttribute`);
  else if (!absent(distinct)) validateFullName(complaints, str(distinct), `${path}.distinctAttribute`);
  else
    complaints.required(
      path,
      'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
    );
}

function validateClaimSpec(complaints: Complaints, spec: unknown, path: string): void {
  const devices = field(spec, 'devices');
  const here = `${path}.devices`;
  const names = requestNames(devices);
  eachOfSet(
    complaints,
    recs(field(devices, 'requests')),
    { path: `${here}.requests`, max: REQUESTS_MAX, keyOf: nameOf },
    (request, where) => validateRequest(complaints, request, where),
  );
  eachItem(
    complaints,
    recs(field(devices, 'constraints')),
    { path: `${here}.constraints`, max: CONSTRAINTS_MAX },
    (constraint, where) => validateConstraint(complaints, constraint, where, names),
  );
  eachItem(
    complaints,
    recs(field(devices, 'config')),
    { path: `${here}.config`, max: CONFIGS_MAX },
    (config, where) => {
      validateRequestRefs(complaints, config['requests'], `${where}.requests`, names);
      validateConfiguration(complaints, config, where);
    },
  );
}

export function validateClaim(claim: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const old = context?.old;
    if (context?.subresource === 'status') return complaints.add(validateClaimStatus(claim, context));
    if (old === undefined) {
      validateAdminRequests(complaints, claim['spec'], context);
      validateClaimSpec(complaints, claim['spec'], 'spec');
    } else complaints.immutable('spec', shownClaimSpec(claim['spec']), same(claim['spec'], field(old, 'spec')));
  });
}

export function validateClaimTemplate(template: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = template['spec'];
    if (context?.old === undefined) validateAdminRequests(complaints, field(spec, 'spec'), context);
    validateTemplateMeta(complaints, field(spec, 'metadata'), 'spec.metadata');
    validateClaimSpec(complaints, field(spec, 'spec'), 'spec.spec');
    if (context?.old !== undefined)
      complaints.immutable('spec', shownTemplateSpec(spec), same(spec, field(context.old, 'spec')));
  });
}

/** A resource with a domain that is not Kubernetes' own. */
const isExtendedResource = (name: string): boolean =>
  name.includes('/') &&
  !/(^|\.)kubernetes\.io\//.test(name) &&
  !name.startsWith('requests.') &&
  qualifiedName(`requests.${name}`).length === 0;

export function validateDeviceClass(object: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    validateSelectors(complaints, field(spec, 'selectors'), 'spec.selectors');
    eachItem(complaints, recs(field(spec, 'config')), { path: 'spec.config', max: CONFIGS_MAX }, (config, path) =>
      validateConfiguration(complaints, config, path),
    );
    const name = at(spec, 'extendedResourceName');
    if (!absent(name) && !isExtendedResource(str(name)))
      complaints.invalid('spec.extendedResourceName', name, 'must be a valid extended resource name');
  });
}
