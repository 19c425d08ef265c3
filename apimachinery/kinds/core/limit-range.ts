/** LimitRanges: defaults, and validation in Kubernetes' own order (k8s.io/kubernetes/pkg/apis/core/validation). */
import { qualifiedName } from '../../names.js';
import { compareQuantities, formatQuantity, parseQuantity } from '../../quantity.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import {
  absent,
  at,
  child,
  children,
  entries,
  field,
  keysOf,
  recs,
  setOwn,
  str,
  unset,
  type Rec,
} from '../lib/value.js';
import { isOvercommitAllowed, validateContainerResourceName, validateResourceName } from '../pod/validate-resources.js';

const TYPES = ['Container', 'PersistentVolumeClaim', 'Pod'];

/** A container limit gives the default, the default the request, as far as they are not named. */
function defaultLimitRange(range: Rec): void {
  for (const item of children(range['spec'], 'limits')) {
    if (item['type'] !== 'Container') continue;
    const limit = child(item, 'default');
    const request = child(item, 'defaultRequest');
    if (limit === undefined || request === undefined) continue;
    for (const [name, max] of entries(item['max'])) if (absent(field(limit, name))) setOwn(limit, name, max);
    for (const [name, value] of entries(limit)) if (absent(field(request, name))) setOwn(request, name, value);
    for (const [name, min] of entries(item['min'])) if (absent(field(request, name))) setOwn(request, name, min);
    if (keysOf(limit).length === 0) delete item['default'];
    if (keysOf(request).length === 0) delete item['defaultRequest'];
  }
}

function validateType(complaints: Complaints, type: string, path: string): void {
  const wrong = qualifiedName(type);
  for (const why of wrong) complaints.invalid(path, type, why);
  if (wrong.length === 0 && !type.includes('/') && !TYPES.includes(type))
    complaints.invalid(path, type, 'must be a standard limit type or fully qualified');
}

function validateNames(complaints: Complaints, item: Rec, side: string, path: string): void {
  const isContainers = item['type'] === 'Pod' || item['type'] === 'Container';
  for (const name of keysOf(item[side]))
    (isContainers ? validateContainerResourceName : validateResourceName)(complaints, name, `${path}.${side}[${name}]`);
}

const textOf = (quantity: unknown): string => {
  const parsed = parseQuantity(quantity);
  return parsed === undefined ? '' : formatQuantity(parsed);
};

interface Order {
  readonly low: string;
  readonly high: string;
  /** Under which of the limits the complaint stands, and whose value it shows. */
  readonly at: string;
  readonly shows: string;
  readonly lowText: string;
  readonly highText: string;
}

const ORDERS: readonly Order[] = [
  { low: 'min', high: 'max', at: 'min', shows: 'min', lowText: 'min value', highText: 'max value' },
  {
    low: 'min',
    high: 'defaultRequest',
    at: 'defaultRequest',
    shows: 'defaultRequest',
    lowText: 'min value',
    highText: 'default request value',
  },
  {
    low: 'defaultRequest',
    high: 'max',
    at: 'defaultRequest',
    shows: 'defaultRequest',
    lowText: 'default request value',
    highText: 'max value',
  },
  {
    low: 'defaultRequest',
    high: 'default',
    at: 'defaultRequest',
    shows: 'defaultRequest',
    lowText: 'default request value',
    highText: 'default limit value',
  },
  { low: 'min', high: 'default', at: 'default', shows: 'min', lowText: 'min value', highText: 'default value' },
  { low: 'default', high: 'max', at: 'default', shows: 'max', lowText: 'default value', highText: 'max value' },
];

function validateRatio(complaints: Complaints, item: Rec, name: string, path: string): void {
  const [ratio, min, max] = ['maxLimitRequestRatio', 'min', 'max'].map((side) =>
    parseQuantity(field(item[side], name)),
  );
  if (ratio === undefined) return;
  const [here, value] = [`${path}.maxLimitRequestRatio[${name}]`, field(item['maxLimitRequestRatio'], name)];
  if (ratio.nano < 1_000_000_000n) complaints.invalid(here, value, `ratio ${formatQuantity(ratio)} is less than 1`);
  if (min === undefined || max === undefined) return;
  const limit = Number(max.nano) / Number(min.nano);
  if (Number(ratio.nano) / 1e9 > limit)
    complaints.invalid(here, value, `ratio ${formatQuantity(ratio)} is greater than max/min = ${limit.toFixed(6)}`);
}

function validateAmounts(complaints: Complaints, item: Rec, name: string, path: string): void {
  const isPod = item['type'] === 'Pod';
  const valueOf = (side: string): unknown =>
    isPod && side.startsWith('default') ? undefined : field(item[side], name);
  for (const { low, high, at: side, shows, lowText, highText } of ORDERS) {
    const [small, large] = [valueOf(low), valueOf(high)];
    if (absent(small) || absent(large) || compareQuantities(small, large) <= 0) continue;
    complaints.invalid(
      `${path}.${side}[${name}]`,
      valueOf(shows),
      `${lowText} ${textOf(small)} is greater than ${highText} ${textOf(large)}`,
    );
  }
  validateRatio(complaints, item, name, path);
  const [limit, request] = [valueOf('default'), valueOf('defaultRequest')];
  if (isOvercommitAllowed(name) || absent(limit) || absent(request) || compareQuantities(limit, request) === 0) return;
  complaints.invalid(
    `${path}.defaultRequest[${name}]`,
    request,
    `default value ${textOf(limit)} must equal to defaultRequest value ${textOf(request)} in ${name}`,
  );
}

function validateItem(complaints: Complaints, item: Rec, path: string): void {
  for (const side of ['max', 'min']) validateNames(complaints, item, side, path);
  for (const side of ['default', 'defaultRequest']) {
    if (item['type'] !== 'Pod') validateNames(complaints, item, side, path);
    else if (keysOf(item[side]).length > 0)
      complaints.forbidden(`${path}.${side}`, "may not be specified when `type` is 'Pod'");
  }
  if (
    item['type'] === 'PersistentVolumeClaim' &&
    absent(at(item, 'min', 'storage')) &&
    absent(at(item, 'max', 'storage'))
  ) {
    complaints.required(
      `${path}.limits`,
      'either minimum or maximum storage value is required, but neither was provided',
    );
  }
  validateNames(complaints, item, 'maxLimitRequestRatio', path);
  const names = new Set(
    ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'].flatMap((side) => keysOf(item[side])),
  );
  for (const name of names) validateAmounts(complaints, item, name, path);
}

export const limitRangeStrategy = strategyOf({
  allowCreateOnUpdate: true,
  defaults: defaultLimitRange,
  validatesAll: true,
  // The one kind that is named by the server when the client gives it no name.
  create: (range, context) => {
    const metadata = child(range, 'metadata');
    if (metadata !== undefined && unset(metadata['name'])) metadata['name'] = context.uuid();
  },
  validate: (range) =>
    complaintsOf((complaints) => {
      const types = new Set<string>();
      for (const [index, item] of recs(at(range, 'spec', 'limits')).entries()) {
        const path = `spec.limits[${index}]`;
        const type = str(item['type']);
        validateType(complaints, type, `${path}.type`);
        if (types.has(type)) complaints.duplicate(`${path}.type`, type);
        types.add(type);
        validateItem(complaints, item, path);
      }
    }),
});
