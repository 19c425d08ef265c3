/** Validation of `successPolicy` (KEP-3998), and the text form of sets of indexes, as `0,2-5`. */
import type { Complaints } from '../lib/complaints.js';
import { absent, field, num, recs, str, type Rec } from '../lib/value.js';

const RULES_MAX = 20;
const INDEXES_CHARS_MAX = 64 * 1024;

type Counted = { readonly kind: 'counted'; readonly total: number } | { readonly kind: 'wrong'; readonly why: string };

const wrong = (why: string): Counted => ({ kind: 'wrong', why });

/** How many indexes the text names: increasing, each below `completions`. */
export function countIndexes(text: string, completions: number): Counted {
  if (text === '') return { kind: 'counted', total: 0 };
  let total = 0;
  let last: number | undefined;
  for (const interval of text.split(',')) {
    const limits = interval.split('-');
    if (limits.length > 2)
      return wrong(
        `the fragment ${JSON.stringify(interval)} violates the requirement that an index interval can have at most two parts separated by '-'`,
      );
    const [from = 0, to = from] = limits.map((limit) => (/^[+-]?\d+$/.test(limit) ? Number(limit) : Number.NaN));
    for (const [index, value] of [from, to].slice(0, limits.length).entries()) {
      if (Number.isNaN(value))
        return wrong(`cannot convert string to integer for index: ${JSON.stringify(limits[index])}`);
      if (value >= completions) return wrong(`too large index: ${JSON.stringify(limits[index])}`);
    }
    if (limits.length === 2 && from >= to) return wrong(`non-increasing order, previous: ${from}, current: ${to}`);
    if (last !== undefined && last >= from) return wrong(`non-increasing order, previous: ${last}, current: ${from}`);
    total += to - from + 1;
    last = to;
  }
  return { kind: 'counted', total };
}

/** Intervals of a text, those left out that are none below `completions`. */
function intervalsOf(text: string, completions: number): readonly (readonly [number, number])[] {
  return text.split(',').flatMap((interval) => {
    const [from = Number.NaN, to = from] = interval.split('-').map(Number);
    return interval.split('-').length <= 2 && from <= to && to < completions ? [[from, to] as const] : [];
  });
}

/** The first index that both texts name. */
export function overlapOf(one: string, other: string, completions: number): number | undefined {
  if (one === '' || other === '') return undefined;
  const [left, right] = [intervalsOf(one, completions), intervalsOf(other, completions)];
  for (let i = 0, j = 0; ;) {
    const [a, b] = [left[i], right[j]];
    if (a === undefined || b === undefined) return undefined;
    if (a[0] <= b[1] && b[0] <= a[1]) return Math.max(a[0], b[0]);
    if (a[0] <= b[0]) i += 1;
    else j += 1;
  }
}

function validateRule(complaints: Complaints, rule: Rec, path: string, completions: number): void {
  const indexes = rule['succeededIndexes'];
  const count = rule['succeededCount'];
  if (absent(indexes) && absent(count))
    complaints.required(path, 'at least one of succeededCount or succeededIndexes must be specified');
  let total = 0;
  if (!absent(indexes)) {
    if (str(indexes).length > INDEXES_CHARS_MAX) complaints.tooLong(`${path}.succeededIndexes`, INDEXES_CHARS_MAX);
    const counted = countIndexes(str(indexes), completions);
    if (counted.kind === 'counted') total = counted.total;
    else complaints.invalid(`${path}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${counted.why}`);
  }
  if (absent(count)) return;
  complaints.atLeast(`${path}.succeededCount`, count);
  if (num(count) > completions)
    complaints.invalid(
      `${path}.succeededCount`,
      count,
      `must be less than or equal to ${completions} (the number of specified completions)`,
    );
  if (!absent(indexes) && num(count) > total) {
    complaints.invalid(
      `${path}.succeededCount`,
      count,
      `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
    );
  }
}

/** As Go's internal type is printed. */
const shownPolicy = (policy: unknown): unknown => {
  const rules = field(policy, 'rules');
  return {
    Rules: absent(rules)
      ? null
      : recs(rules).map(({ succeededIndexes, succeededCount }) => ({
          SucceededIndexes: succeededIndexes ?? null,
          SucceededCount: succeededCount ?? null,
        })),
  };
};

export function validateSuccessPolicy(complaints: Complaints, spec: Rec, path: string): void {
  const policy = spec['successPolicy'];
  if (spec['completionMode'] !== 'Indexed')
    return complaints.invalid(path, shownPolicy(policy), 'requires indexed completion mode');
  const rules = recs(field(policy, 'rules'));
  if (rules.length === 0)
    complaints.required(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified');
  if (rules.length > RULES_MAX) complaints.tooMany(`${path}.rules`, rules.length, RULES_MAX);
  for (const [index, rule] of rules.entries())
    validateRule(complaints, rule, `${path}.rules[${index}]`, num(spec['completions']));
}
