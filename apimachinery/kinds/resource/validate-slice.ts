/** Validation of ResourceSlices: the devices that a driver offers (k8s.io/kubernetes/pkg/apis/resource/validation). */
import type { StrategyContext } from '../../kind.js';
import { dns1123Label, dns1123Subdomain } from '../../names.js';
import type { FieldError } from '../../status.js';
import { IMMUTABLE, complaintsOf, type Complaints } from '../lib/complaints.js';
import { absent, at, entries, field, isRec, keysOf, list, num, recs, same, str, type Rec } from '../lib/value.js';
import { validateNodeSelector } from '../lib/node-selector-validation.js';
import { validateDriverName } from '../volumes/sources.js';
import {
  eachItem,
  eachOfSet,
  validateBindingConditions,
  validateLabel,
  validatePoolName,
  validateQualifiedName,
  validateTaint,
} from './lists.js';
import { validateRequestPolicy } from './request-policy.js';

const DEVICES_MAX = 128;
const ADVANCED_DEVICES_MAX = 64;
const COUNTER_SETS_MAX = 8;
const COUNTERS_MAX = 32;
const CONSUMPTIONS_MAX = 2;
const PROPERTIES_MAX = 32;
const TAINTS_MAX = 16;
const VALUE_LENGTH_MAX = 64;
const VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/;

function validatePool(complaints: Complaints, pool: unknown): void {
  validatePoolName(complaints, field(pool, 'name'), 'spec.pool.name');
  const count = num(field(pool, 'resourceSliceCount'));
  const generation = num(field(pool, 'generation'));
  if (count <= 0) complaints.invalid('spec.pool.resourceSliceCount', count, 'must be greater than zero');
  if (generation < 0) complaints.invalid('spec.pool.generation', generation, 'must be greater than or equal to zero');
}

function validateFixed(complaints: Complaints, spec: Rec, before: Rec): void {
  const name = at(spec, 'pool', 'name');
  if (name !== at(before, 'pool', 'name')) complaints.invalid('spec.pool.name', name, IMMUTABLE);
  for (const fixed of ['driver', 'nodeName']) {
    if ((spec[fixed] ?? null) !== (before[fixed] ?? null)) complaints.invalid(`spec.${fixed}`, spec[fixed], IMMUTABLE);
  }
}

interface Places {
  readonly path: string;
  readonly flags: readonly string[];
  readonly emptyName: string;
  readonly oneTerm: boolean;
}

/** Which of the fields that say where devices are is set. */
function placesOf(complaints: Complaints, holder: Rec, { path, flags, emptyName, oneTerm }: Places): string[] {
  const set: string[] = [];
  const { nodeName, nodeSelector } = holder;
  if (nodeName === '') complaints.invalid(`${path}.nodeName`, '', emptyName);
  if (!absent(nodeName) && nodeName !== '') {
    set.push('`nodeName`');
    complaints.form(`${path}.nodeName`, nodeName, dns1123Subdomain);
  }
  if (isRec(nodeSelector)) {
    set.push('`nodeSelector`');
    validateNodeSelector(complaints, nodeSelector, `${path}.nodeSelector`);
    const terms = nodeSelector['nodeSelectorTerms'];
    if (oneTerm && list(terms).length !== 1)
      complaints.invalid(
        `${path}.nodeSelector.nodeSelectorTerms`,
        terms ?? null,
        'must have exactly one node selector term',
      );
  }
  for (const flag of flags) {
    if (holder[flag] === true) set.push(`\`${flag}\``);
    else if (holder[flag] === false)
      complaints.invalid(`${path}.${flag}`, false, 'must be either unset or set to true');
  }
  return set;
}

function validatePlace(complaints: Complaints, spec: Rec): void {
  const set = placesOf(complaints, spec, {
    path: 'spec',
    flags: ['allNodes', 'perDeviceNodeSelection'],
    emptyName: 'must be either unset or set to a non-empty string',
    oneTerm: true,
  });
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (set.length === 0) complaints.required('spec', one);
  else if (set.length > 1) complaints.invalid('spec', `{${set.join(', ')}}`, `${one}, but multiple fields are set`);
}

function validateDevicePlace(complaints: Complaints, device: Rec, path: string, isPerDevice: boolean): void {
  if (!isPerDevice) {
    if (['nodeName', 'nodeSelector', 'allNodes'].some((name) => !absent(device[name]))) {
      complaints.invalid(
        path,
        null,
        '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
      );
    }
    return;
  }
  const set = placesOf(complaints, device, {
    path,
    flags: ['allNodes'],
    emptyName: 'must not be empty',
    oneTerm: false,
  });
  const one =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (set.length === 0) complaints.required(path, one);
  else if (set.length > 1) complaints.invalid(path, `{${set.join(', ')}}`, one);
}

const VALUES = ['bool', 'int', 'string', 'version'];

/** Kubernetes shows its internal type. */
const shownAttribute = (attribute: Rec): Rec => ({
  IntValue: attribute['int'] ?? null,
  BoolValue: attribute['bool'] ?? null,
  StringValue: attribute['string'] ?? null,
  VersionValue: attribute['version'] ?? null,
  IntValues: null,
  BoolValues: null,
  StringValues: null,
  VersionValues: null,
});

function validateAttribute(complaints: Complaints, attribute: Rec, path: string): void {
  const { string, version } = attribute;
  if (!absent(string) && str(string).length > VALUE_LENGTH_MAX) complaints.tooLong(`${path}.string`, VALUE_LENGTH_MAX);
  if (!absent(version)) {
    if (!VERSION.test(str(version).slice(0, VALUE_LENGTH_MAX * 4)))
      complaints.invalid(`${path}.version`, version, 'must be a string compatible with semver.org spec 2.0.0');
    if (str(version).length > VALUE_LENGTH_MAX) complaints.tooLong(`${path}.version`, VALUE_LENGTH_MAX);
  }
  const count = VALUES.filter((name) => !absent(attribute[name])).length;
  if (count !== 1)
    complaints.invalid(path, count === 0 ? '' : shownAttribute(attribute), 'exactly one value must be specified');
}

function validateCounters(complaints: Complaints, counters: unknown, path: string): void {
  const names = keysOf(counters);
  if (names.length === 0) complaints.required(path);
  else if (names.length > COUNTERS_MAX) complaints.tooMany(path, names.length, COUNTERS_MAX);
  else for (const name of names) complaints.form(path, name, dns1123Label);
}

function validateProperties(complaints: Complaints, device: Rec, path: string): void {
  const count = keysOf(device['attributes']).length + keysOf(device['capacity']).length;
  if (count > PROPERTIES_MAX)
    complaints.invalid(path, count, `the total number of attributes and capacities must not exceed ${PROPERTIES_MAX}`);
  for (const [name, attribute] of entries(device['attributes'])) {
    validateQualifiedName(complaints, name, `${path}.attributes`);
    if (isRec(attribute)) validateAttribute(complaints, attribute, `${path}.attributes[${name}]`);
  }
  for (const [name, capacity] of entries(device['capacity'])) {
    validateQualifiedName(complaints, name, `${path}.capacity`);
    const policy = field(capacity, 'requestPolicy');
    const here = `${path}.capacity[${name}].requestPolicy`;
    if (!isRec(policy)) continue;
    if (device['allowMultipleAllocations'] === true)
      validateRequestPolicy(complaints, policy, here, field(capacity, 'value'));
    else complaints.forbidden(here, 'allowMultipleAllocations must be true');
  }
}

interface DeviceFacts {
  readonly isPerDevice: boolean;
  readonly old: Rec | undefined;
}

function validateDevice(complaints: Complaints, device: Rec, path: string, { isPerDevice, old }: DeviceFacts): void {
  validateLabel(complaints, device['name'], `${path}.name`);
  validateProperties(complaints, device, path);
  if (old === undefined || !same(device['taints'], old['taints'])) {
    eachItem(complaints, recs(device['taints']), { path: `${path}.taints`, max: TAINTS_MAX }, (taint, here) =>
      validateTaint(complaints, taint, here),
    );
  }
  const consumptions = {
    path: `${path}.consumesCounters`,
    max: CONSUMPTIONS_MAX,
    keyOf: ({ counterSet }: Rec) => str(counterSet),
  };
  eachOfSet(complaints, recs(device['consumesCounters']), consumptions, (consumed, here) => {
    complaints.requiredForm(`${here}.counterSet`, consumed['counterSet'], dns1123Label);
    validateCounters(complaints, consumed['counters'], `${here}.counters`);
  });
  validateDevicePlace(complaints, device, path, isPerDevice);
  validateBindingConditions(complaints, device, path);
}

const nameOf = ({ name }: Rec): string => str(name);

export function validateResourceSlice(slice: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = isRec(slice['spec']) ? slice['spec'] : {};
    const before = field(context?.old, 'spec');
    validateDriverName(complaints, spec['driver'], 'spec.driver');
    validatePool(complaints, spec['pool']);
    if (isRec(before)) validateFixed(complaints, spec, before);
    validatePlace(complaints, spec);
    const devices = recs(spec['devices']);
    if (!absent(spec['sharedCounters']) && !absent(spec['devices']))
      complaints.invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed');
    const isAdvanced = devices.some(
      ({ taints, consumesCounters }) => list(taints).length > 0 || list(consumesCounters).length > 0,
    );
    const old = new Map(recs(field(before, 'devices')).map((device) => [nameOf(device), device]));
    eachOfSet(
      complaints,
      devices,
      { path: 'spec.devices', max: isAdvanced ? ADVANCED_DEVICES_MAX : DEVICES_MAX, keyOf: nameOf },
      (device, path) =>
        validateDevice(complaints, device, path, {
          isPerDevice: spec['perDeviceNodeSelection'] === true,
          old: old.get(nameOf(device)),
        }),
    );
    eachOfSet(
      complaints,
      recs(spec['sharedCounters']),
      { path: 'spec.sharedCounters', max: COUNTER_SETS_MAX, keyOf: nameOf },
      (set, path) => {
        complaints.requiredForm(`${path}.name`, set['name'], dns1123Label);
        validateCounters(complaints, set['counters'], `${path}.counters`);
      },
    );
  });
}
