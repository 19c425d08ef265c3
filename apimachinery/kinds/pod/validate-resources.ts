/** Validation of resource requirements, of containers and of pods. */
import { qualifiedName } from '../../names.js';
import { compareQuantities, formatQuantity, parseQuantity } from '../../quantity.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, entries, field, list, str } from '../lib/value.js';

const NANO = 1_000_000_000n;
const NATIVE_DOMAIN = 'kubernetes.io/';
const REQUESTS_PREFIX = 'requests.';

/** Names that a cluster knows without a domain, in any place where a resource is named. */
const STANDARD = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'persistentvolumeclaims',
  'configmaps',
  'storage',
  'requests.storage',
  'services.nodeports',
  'services.loadbalancers',
]);

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
const isNative = (name: string): boolean => !name.includes('/') || name.includes(NATIVE_DOMAIN);
const isExtended = (name: string): boolean =>
  !isNative(name) && !name.startsWith(REQUESTS_PREFIX) && qualifiedName(REQUESTS_PREFIX + name).length === 0;
export const isOvercommitAllowed = (name: string): boolean => isNative(name) && !isHugePages(name);
/** Counted things: no half of one can be asked for. */
const WHOLE = new Set([
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);
const isWhole = (name: string): boolean => WHOLE.has(name) || isExtended(name);

const POD_LEVEL = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name);
const CONTAINER_LEVEL = (name: string): boolean => POD_LEVEL(name) || name === 'ephemeral-storage';

/** A name as any list of resources may hold it. */
export function validateResourceName(complaints: Complaints, name: string, path: string): boolean {
  const complaintsOfName = qualifiedName(name);
  for (const why of complaintsOfName) complaints.invalid(path, name, why);
  if (complaintsOfName.length > 0) return false;
  if (name.includes('/') || STANDARD.has(name) || isHugePages(name)) return true;
  complaints.invalid(path, name, 'must be a standard resource type or fully qualified');
  return false;
}

function validateOwnName(complaints: Complaints, name: string, path: string, level: 'container' | 'pod'): void {
  if (level === 'pod') {
    if (validateResourceName(complaints, name, path) && !POD_LEVEL(name))
      complaints.unsupported(path, name, ['cpu', 'hugepages-', 'memory']);
    return;
  }
  validateContainerResourceName(complaints, name, path);
}

/** A name as a container may ask for it. */
export function validateContainerResourceName(complaints: Complaints, name: string, path: string): void {
  validateResourceName(complaints, name, path);
  if (!name.includes('/')) {
    if (!CONTAINER_LEVEL(name)) complaints.invalid(path, name, 'must be a standard resource for containers');
  } else if (!isNative(name) && !isExtended(name)) {
    complaints.invalid(path, name, "doesn't follow extended resource name standard");
  }
}

export function validateResourceValue(complaints: Complaints, name: string, quantity: unknown, path: string): void {
  complaints.quantity(path, quantity);
  const parsed = parseQuantity(quantity);
  if (parsed !== undefined && isWhole(name) && parsed.nano % NANO !== 0n)
    complaints.invalid(path, quantity, 'must be an integer');
}

function validateHugePages(complaints: Complaints, name: string, quantity: unknown, path: string): void {
  const size = parseQuantity(name.slice('hugepages-'.length));
  const value = parseQuantity(quantity);
  if (size === undefined || size.nano <= 0n || value === undefined) return;
  if (value.nano % size.nano !== 0n)
    complaints.invalid(
      path,
      quantity,
      `${formatQuantity(value)} is not positive integer multiple of ${formatQuantity(size)}`,
    );
}

/** Names, signs, and that nothing is requested beyond its limit. `claims`: the names in the pod's `resourceClaims`. */
export function validateResources(
  complaints: Complaints,
  resources: unknown,
  path: string,
  how: { readonly level: 'container' | 'pod'; readonly claims?: ReadonlySet<string> } = { level: 'container' },
): void {
  const limits = field(resources, 'limits');
  const sides = (['limits', 'requests'] as const).map((side) => ({ side, list: entries(field(resources, side)) }));
  for (const { side, list: given } of sides) {
    for (const [name, quantity] of given) {
      const here = `${path}.${side}[${name}]`;
      validateOwnName(complaints, name, here, how.level);
      validateResourceValue(complaints, name, quantity, here);
      if (side === 'requests')
        validateBelowLimit(complaints, { name, request: quantity, limit: field(limits, name) }, path);
      if (isHugePages(name)) validateHugePages(complaints, name, quantity, here);
    }
  }
  const names = sides.flatMap(({ list: given }) => given.map(([name]) => name));
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory'))
    complaints.forbidden(path, 'HugePages require cpu or memory');
  validateClaims(complaints, field(resources, 'claims'), `${path}.claims`, how.claims ?? new Set());
}

function validateBelowLimit(
  complaints: Complaints,
  { name, request, limit }: { readonly name: string; readonly request: unknown; readonly limit: unknown },
  path: string,
): void {
  if (absent(limit)) {
    if (!isOvercommitAllowed(name))
      complaints.required(`${path}.limits`, 'Limit must be set for non overcommitable resources');
    return;
  }
  const order = compareQuantities(request, limit);
  if (order !== 0 && !isOvercommitAllowed(name))
    complaints.invalid(`${path}.requests`, request, `must be equal to ${name} limit of ${String(limit as string)}`);
  else if (order > 0)
    complaints.invalid(
      `${path}.requests`,
      request,
      `must be less than or equal to ${name} limit of ${String(limit as string)}`,
    );
}

function validateClaims(complaints: Complaints, claims: unknown, path: string, known: ReadonlySet<string>): void {
  const seen = new Set<string>();
  for (const [index, claim] of list(claims).entries()) {
    const name = str(field(claim, 'name'));
    const request = str(field(claim, 'request'));
    const key = `${name}/${request}`;
    if (name === '') complaints.required(`${path}[${index}]`);
    else if (seen.has(key)) complaints.duplicate(`${path}[${index}]`, request === '' ? name : key);
    else if (!known.has(name)) {
      const names = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`;
      complaints.add([
        {
          type: 'FieldValueNotFound',
          field: `${path}[${index}]`,
          detail: `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${names}`,
        },
      ]);
    }
    seen.add(key);
  }
}
