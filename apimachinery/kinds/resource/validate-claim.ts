/** Validation of ResourceClaims, their templates and DeviceClasses (k8s.io/kubernetes/pkg/apis/resource/validation). */
import type { StrategyContext } from '../../kind.js';
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { absent, at, field, isRec, num, recs, same, str, strs, unset, type Rec } from '../lib/value.js';
import { validateTemplateMeta } from '../pod/validate-template.js';
import { validateAdminRequests } from './admin-access.js';
import { eachItem, eachOfSet, validateFullName, validateLabel, validateToleration } from './lists.js';
import { validateConfiguration, validateSelectors } from './selectors.js';

const REQUESTS_MAX = 32;
const CONSTRAINTS_MAX = 32;
const CONFIGS_MAX = 32;
const ALTERNATIVES_MAX = 8;
const CONSUMERS_MAX = 256;

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
  for (const [index, toleration] of recs(wanted['tolerations']).entries()) validateToleration(complaints, toleration, `${path}.tolerations[${index}]`);
}

const nameOf = ({ name }: Rec): string => str(name);

function validateRequest(complaints: Complaints, request: Rec, path: string): void {
  validateLabel(complaints, request['name'], `${path}.name`);
  const alternatives = recs(request['firstAvailable']);
  const exactly = request['exactly'];
  if (alternatives.length > 0 && isRec(exactly)) {
    complaints.invalid(path, null, 'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set');
  } else if (alternatives.length > 0) {
    eachOfSet(complaints, alternatives, { path: `${path}.firstAvailable`, max: ALTERNATIVES_MAX, keyOf: nameOf }, (wanted, here) => {
      validateLabel(complaints, wanted['name'], `${here}.name`);
      validateWanted(complaints, wanted, here);
    });
  } else if (isRec(exactly)) {
    validateWanted(complaints, exactly, `${path}.exactly`);
  } else {
    complaints.required(path, 'exactly one of `exactly` or `firstAvailable` is required');
  }
}

type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

const requestNames = (devices: unknown): RequestNames =>
  new Map(recs(field(devices, 'requests')).map((request) => [nameOf(request), new Set(recs(request['firstAvailable']).map(nameOf))]));

const UNKNOWN_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

function validateRequestRefs(complaints: Complaints, refs: unknown, path: string, names: RequestNames): void {
  eachOfSet(complaints, strs(refs), { path, max: REQUESTS_MAX, keyOf: (ref) => ref }, (ref, here) => {
    const [request = '', alternative, ...more] = ref.split('/');
    if (more.length > 0) return complaints.invalid(here, ref, UNKNOWN_REQUEST);
    for (const part of [request, ...(alternative === undefined ? [] : [alternative])]) complaints.form(here, part, dns1123Label);
    const known = names.get(request);
    if (known === undefined || (alternative !== undefined && !known.has(alternative))) complaints.invalid(here, ref, UNKNOWN_REQUEST);
  });
}

function validateConstraint(complaints: Complaints, constraint: Rec, path: string, names: RequestNames): void {
  const { matchAttribute: match, distinctAttribute: distinct } = constraint;
  validateRequestRefs(complaints, constraint['requests'], `${path}.requests`, names);
  if (!absent(match)) validateFullName(complaints, str(match), `${path}.matchAttribute`);
  else if (!absent(distinct)) validateFullName(complaints, str(distinct), `${path}.distinctAttribute`);
  else complaints.required(path, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set');
}

function validateClaimSpec(complaints: Complaints, spec: unknown, path: string): void {
  const devices = field(spec, 'devices');
  const here = `${path}.devices`;
  const names = requestNames(devices);
  eachOfSet(complaints, recs(field(devices, 'requests')), { path: `${here}.requests`, max: REQUESTS_MAX, keyOf: nameOf },
    (request, where) => validateRequest(complaints, request, where));
  eachItem(complaints, recs(field(devices, 'constraints')), { path: `${here}.constraints`, max: CONSTRAINTS_MAX },
    (constraint, where) => validateConstraint(complaints, constraint, where, names));
  eachItem(complaints, recs(field(devices, 'config')), { path: `${here}.config`, max: CONFIGS_MAX }, (config, where) => {
    validateRequestRefs(complaints, config['requests'], `${where}.requests`, names);
    validateConfiguration(complaints, config, where);
  });
}

/** Who uses a claim: nobody before it is allocated. */
function validateStatus(complaints: Complaints, status: unknown, old: unknown): void {
  const consumers = recs(field(status, 'reservedFor'));
  eachOfSet(complaints, consumers, { path: 'status.reservedFor', max: CONSUMERS_MAX, keyOf: ({ uid }) => str(uid) }, (consumer, path) => {
    for (const name of ['resource', 'name', 'uid']) if (unset(consumer[name])) complaints.required(`${path}.${name}`);
  });
  const allocation = field(status, 'allocation');
  if (consumers.length > 0 && !isRec(allocation)) complaints.forbidden('status.reservedFor', 'may not be specified when `allocated` is not set');
  const before = field(old, 'allocation');
  if (isRec(allocation) && isRec(before)) complaints.immutable('status.allocation', allocation, same(allocation, before));
}

export function validateClaim(claim: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const old = context?.old;
    if (context?.subresource === 'status') return validateStatus(complaints, claim['status'], field(old, 'status'));
    if (old === undefined) {
      validateAdminRequests(complaints, claim['spec'], context);
      validateClaimSpec(complaints, claim['spec'], 'spec');
    }
    else complaints.immutable('spec', claim['spec'], same(claim['spec'], field(old, 'spec')));
  });
}

export function validateClaimTemplate(template: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = template['spec'];
    if (context?.old === undefined) validateAdminRequests(complaints, field(spec, 'spec'), context);
    validateTemplateMeta(complaints, field(spec, 'metadata'), 'spec.metadata');
    validateClaimSpec(complaints, field(spec, 'spec'), 'spec.spec');
    if (context?.old !== undefined) complaints.immutable('spec', spec, same(spec, field(context.old, 'spec')));
  });
}

/** A resource with a domain that is not Kubernetes' own. */
const isExtendedResource = (name: string): boolean =>
  name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name) && !name.startsWith('requests.') && qualifiedName(`requests.${name}`).length === 0;

export function validateDeviceClass(object: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    validateSelectors(complaints, field(spec, 'selectors'), 'spec.selectors');
    eachItem(complaints, recs(field(spec, 'config')), { path: 'spec.config', max: CONFIGS_MAX }, (config, path) => validateConfiguration(complaints, config, path));
    const name = at(spec, 'extendedResourceName');
    if (!absent(name) && !isExtendedResource(str(name))) complaints.invalid('spec.extendedResourceName', name, 'must be a valid extended resource name');
  });
}
