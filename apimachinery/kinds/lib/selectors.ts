/** Selectors as text, and the selector that a workload has for its pods. */
import { entries, field, recs, str, strs, unset } from './value.js';

/** `a=b,c=d` in the order of keys; `<none>` for no labels. */
export function formatLabels(labels: unknown): string {
  const pairs = entries(labels)
    .map(([key, value]) => `${key}=${str(value)}`)
    .sort();
  return pairs.length === 0 ? '<none>' : pairs.join(',');
}

const OPERATORS: Readonly<Record<string, (key: string, values: string) => string>> = {
  In: (key, values) => `${key} in (${values})`,
  NotIn: (key, values) => `${key} notin (${values})`,
  Exists: (key) => key,
  DoesNotExist: (key) => `!${key}`,
};

/** A LabelSelector in the text form of a query; undefined when an operator is unknown. */
function selectorText(selector: unknown): string | undefined {
  const parts = entries(field(selector, 'matchLabels')).map(([key, value]) => ({ key, text: `${key}=${str(value)}` }));
  for (const requirement of recs(field(selector, 'matchExpressions'))) {
    const operator = str(requirement['operator']);
    const write = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
    if (write === undefined) return undefined;
    const key = str(requirement['key']);
    parts.push({ key, text: write(key, [...strs(requirement['values'])].sort().join(',')) });
  }
  parts.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return parts.map((part) => part.text).join(',');
}

/** A LabelSelector for a table: `<none>` when it is empty or absent, `<error>` when it cannot be read. */
export function formatLabelSelector(selector: unknown): string {
  const text = selectorText(selector);
  return text === undefined ? '<error>' : unset(text) ? '<none>' : text;
}
