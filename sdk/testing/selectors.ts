/** Test support: the selectors of the fake object service. Label selectors in string form, field selectors by path. */
import type { KubeObject } from '../../apimachinery/object.js';
import { apiErrors } from '../../apimachinery/status.js';

type Predicate = (object: KubeObject) => boolean;

/** Splits at commas outside parentheses. */
function clausesOf(selector: string): string[] {
  return selector.split(/,(?![^(]*\))/).map((clause) => clause.trim()).filter((clause) => clause !== '');
}

const NAME = '[A-Za-z0-9][A-Za-z0-9./_-]*';
const FORMS: readonly { readonly pattern: RegExp; readonly test: (value: string | undefined, operand: string) => boolean }[] = [
  { pattern: new RegExp(`^(${NAME})\\s*!=\\s*(\\S*)$`), test: (value, operand) => value !== operand },
  { pattern: new RegExp(`^(${NAME})\\s*==?\\s*(\\S*)$`), test: (value, operand) => value === operand },
  { pattern: new RegExp(`^(${NAME})\\s+in\\s*\\(([^)]*)\\)$`), test: (value, operand) => value !== undefined && setOf(operand).has(value) },
  { pattern: new RegExp(`^(${NAME})\\s+notin\\s*\\(([^)]*)\\)$`), test: (value, operand) => value === undefined || !setOf(operand).has(value) },
  { pattern: new RegExp(`^!\\s*(${NAME})()$`), test: (value) => value === undefined },
  { pattern: new RegExp(`^(${NAME})()$`), test: (value) => value !== undefined },
];

const setOf = (operand: string) => new Set(operand.split(',').map((value) => value.trim()));

function labelClause(clause: string): Predicate {
  for (const { pattern, test } of FORMS) {
    const match = pattern.exec(clause);
    if (match === null) continue;
    const [, key = '', operand = ''] = match;
    return (object) => {
      const labels = object.metadata?.labels ?? {};
      return test(Object.hasOwn(labels, key) ? labels[key] : undefined, operand);
    };
  }
  throw apiErrors.badRequest(`unable to parse requirement: ${clause}`);
}

function fieldClause(clause: string): Predicate {
  const match = /^([A-Za-z0-9.]+)(!?=)=?(.*)$/.exec(clause);
  if (match === null) throw apiErrors.badRequest(`invalid field selector: ${clause}`);
  const [, path = '', operator, operand] = match;
  return (object) => {
    let at: unknown = object;
    for (const step of path.split('.')) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[step] : undefined;
    const value = typeof at === 'string' ? at : at === undefined ? '' : JSON.stringify(at);
    return (value === operand) === (operator === '=');
  };
}

/** Throws ApiError BadRequest for a selector that cannot be parsed. */
export function selects(labelSelector = '', fieldSelector = ''): Predicate {
  const predicates = [...clausesOf(labelSelector).map(labelClause), ...clausesOf(fieldSelector).map(fieldClause)];
  return (object) => predicates.every((predicate) => predicate(object));
}
