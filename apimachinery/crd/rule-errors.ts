/**
 * Rules of a CRD when it is written: they compile, and what they may cost fits (apiextensions/validation,
 * cel_validation.go).
 */
import type { Work } from '../../platform/work.js';
import type { Schema } from '../schema.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { invalidRule } from './go-structs.js';
import { ruleSetWork } from './rules.js';
import type { CompiledRule } from './rules.js';
import { listOf, textOf } from './structural.js';

/** Of one rule, times how often it may run for one object; and of all rules of a schema. */
const RULE_COST_MAX = 10_000_000;
const SCHEMA_COST_MAX = 100_000_000;
const EXPENSIVE_SHOWN = 4;

/** Estimates of all rules of one schema. */
export class TotalCost {
  #total = 0;
  #expensive: { readonly path: string; readonly cost: number }[] = [];

  observe(path: string, cost: number): void {
    this.#total += cost;
    if (cost < SCHEMA_COST_MAX / 100) return;
    this.#expensive = [...this.#expensive, { path, cost }].sort((a, b) => b.cost - a.cost).slice(0, EXPENSIVE_SHOWN);
  }

  errors(path: string): FieldError[] {
    if (this.#total <= SCHEMA_COST_MAX) return [];
    return [
      ...this.#expensive.map((rule) =>
        fieldErrors.forbidden(
          rule.path,
          'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema',
        ),
      ),
      fieldErrors.forbidden(
        path,
        costMessage(
          'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema',
          this.#total,
          SCHEMA_COST_MAX,
        ),
      ),
    ];
  }
}

function costMessage(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  // Below 1.5 one digit could say "1.0".
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

export interface RulePlace {
  readonly path: string;
  readonly schema: Schema;
  readonly isRoot: boolean;
  /** How often a value of the schema may be in one object; undefined: as often as it fits into a request. */
  readonly cardinality: number | undefined;
  /** The part of the schema whose items nobody can tell apart between two versions of an object. */
  readonly uncorrelatable: string | undefined;
  readonly total: TotalCost;
}

export function* ruleErrors(props: JsonObject, place: RulePlace): Work<FieldError[]> {
  const given = listOf(props['x-kubernetes-validations']).filter(isObject);
  const { rules, maxCardinality } = yield* ruleSetWork(place.schema, place.isRoot);
  return rules.flatMap((compiled, index) =>
    oneRule(compiled, given[index] ?? {}, {
      place,
      path: `${place.path}.x-kubernetes-validations[${index}]`,
      times: place.cardinality ?? maxCardinality,
    }),
  );
}

function oneRule(
  compiled: CompiledRule,
  given: JsonObject,
  { place, path, times }: { readonly place: RulePlace; readonly path: string; readonly times: number },
): FieldError[] {
  const errors: FieldError[] = [];
  const cost = compiled.maxCost * times;
  if (cost > RULE_COST_MAX)
    errors.push(fieldErrors.forbidden(`${path}.rule`, costMessage('estimated rule cost', cost, RULE_COST_MAX)));
  place.total.observe(`${path}.rule`, cost);
  if (compiled.error !== undefined) errors.push(invalidRule(`${path}.rule`, given, compiled.error));
  if (compiled.messageError !== undefined)
    errors.push(invalidRule(`${path}.messageExpression`, given, compiled.messageError));
  else if (compiled.message !== undefined) {
    const { messageMaxCost } = compiled;
    if (messageMaxCost > RULE_COST_MAX)
      errors.push(
        fieldErrors.forbidden(
          `${path}.messageExpression`,
          costMessage('estimated messageExpression cost', messageMaxCost, RULE_COST_MAX),
        ),
      );
    place.total.observe(`${path}.messageExpression`, messageMaxCost);
  }
  if (compiled.usesOldSelf && place.uncorrelatable !== undefined) {
    errors.push(
      fieldErrors.invalid(
        `${path}.rule`,
        textOf(given['rule']),
        `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`,
      ),
    );
  } else if (!compiled.usesOldSelf && given['optionalOldSelf'] !== undefined) {
    errors.push(
      fieldErrors.invalid(
        `${path}.optionalOldSelf`,
        given['optionalOldSelf'],
        'may not be set if oldSelf is not used in rule',
      ),
    );
  }
  return errors;
}
