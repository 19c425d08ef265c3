/** Which rights of a list of rules somebody does not hold, each by itself, and how a refusal shows them. */
import type { Work } from '../../../platform/work.js';
import type { PolicyRule } from '../auth/policy-rule.js';
import { coversWork } from '../auth/rbac-rules.js';

/** Single rights that a refusal shows, and that are looked for. */
const MISSING_MAX = 500;
const JUDGED_MAX = 2_000;
const SHOWN_LENGTH_MAX = 16_384;

/** Rules of one right each: a verb for a resource of a group, one of its names at most, or a verb for a path. */
export function* missingWork(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): Work<PolicyRule[]> {
  const missing: PolicyRule[] = [];
  let judged = 0;
  for (const rule of wanted) {
    if (yield* coversWork(held, rule)) continue;
    const before = missing.length;
    for (const right of rightsOf(rule)) {
      if (judged >= JUDGED_MAX || missing.length >= MISSING_MAX) break;
      judged += 1;
      if (!(yield* coversWork(held, right))) missing.push(right);
    }
    // A rule that is not covered is never passed over, whether or not it was found out which right of it is missing.
    if (missing.length === before) missing.push(rule);
    if (judged >= JUDGED_MAX || missing.length >= MISSING_MAX) break;
  }
  return missing;
}

function* rightsOf({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule): Generator<PolicyRule> {
  for (const group of apiGroups) {
    for (const resource of resources) {
      for (const verb of verbs) {
        const right = { apiGroups: [group], resources: [resource], verbs: [verb] };
        if (resourceNames.length === 0) yield right;
        for (const name of resourceNames) yield { ...right, resourceNames: [name] };
      }
    }
  }
  for (const url of nonResourceURLs) for (const verb of verbs) yield { nonResourceURLs: [url], verbs: [verb] };
}

/** A line for each resource and name, with its verbs, as kube-apiserver writes and orders them. */
export function showRights(rights: readonly PolicyRule[]): string {
  const compact = new Map<string, PolicyRule>();
  for (const right of rights) {
    const { verbs, ...rest } = right;
    const isPath = rest.nonResourceURLs !== undefined;
    const key = JSON.stringify([
      rest.apiGroups,
      rest.resources,
      rest.resourceNames,
      rest.nonResourceURLs,
      isPath ? verbs : [],
    ]);
    const before = compact.get(key)?.verbs ?? [];
    compact.set(key, { ...rest, verbs: [...new Set([...before, ...verbs])] });
  }
  const text = [...compact.values()].map(showRule).sort().join('\n');
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text;
}

function showRule({
  apiGroups = [],
  resources = [],
  nonResourceURLs = [],
  resourceNames = [],
  verbs,
}: PolicyRule): string {
  const parts: [string, readonly string[]][] = [
    ['APIGroups', apiGroups],
    ['Resources', resources],
    ['NonResourceURLs', nonResourceURLs],
    ['ResourceNames', resourceNames],
    ['Verbs', verbs],
  ];
  return `{${parts
    .filter(([, items]) => items.length > 0)
    .map(([name, items]) => `${name}:${showList(items)}`)
    .join(', ')}}`;
}

/** As Go prints a list of strings: quoted, with spaces between. */
export const showList = (items: readonly string[]): string =>
  `[${items.map((item) => JSON.stringify(item)).join(' ')}]`;
