/** How much of a capacity a claim may ask for: one of some values, or a range (KEP-5075). */
import { compareQuantities, quantityNano } from '../../quantity.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, list, scalarText, type Rec } from '../lib/value.js';
import { eachOfSet } from './lists.js';

const OPTIONS_MAX = 10;

function validateOptions(
  complaints: Complaints,
  options: readonly unknown[],
  path: string,
  { usual, capacity }: { readonly usual: unknown; readonly capacity: unknown },
): void {
  for (const [index, option] of options.entries()) {
    if (index > 0 && compareQuantities(options[index - 1], option) > 0)
      complaints.invalid(`${path}[${index}]`, scalarText(option), 'values must be sorted in ascending order');
  }
  eachOfSet(complaints, options, { path, max: OPTIONS_MAX, keyOf: scalarText }, (option, here) => {
    if (compareQuantities(option, capacity) > 0)
      complaints.invalid(here, scalarText(option), `option is larger than capacity value: ${scalarText(capacity)}`);
  });
  if (!options.some((option) => compareQuantities(option, usual) === 0))
    complaints.invalid(path, scalarText(usual), 'default value is not valid according to the requestPolicy');
}

function validateStep(
  complaints: Complaints,
  range: Rec,
  path: string,
  { usual, capacity }: { readonly usual: unknown; readonly capacity: unknown },
): void {
  const { min, max, step } = range;
  if (quantityNano(min) + quantityNano(step) > quantityNano(capacity)) {
    complaints.invalid(
      path,
      scalarText(step),
      `one step ${scalarText(step)} is larger than capacity value: ${scalarText(capacity)}`,
    );
  }
  for (const value of [usual, ...(absent(max) ? [] : [max])]) {
    const size = quantityNano(step);
    if (size !== 0n && (quantityNano(value) - quantityNano(min)) % size !== 0n) {
      complaints.invalid(
        path,
        scalarText(value),
        `value is not a multiple of a given step (${scalarText(step)}) from (${scalarText(min)})`,
      );
    }
  }
}

function validateRange(
  complaints: Complaints,
  range: Rec,
  path: string,
  facts: { readonly usual: unknown; readonly capacity: unknown },
): void {
  const { min, max, step } = range;
  const { usual, capacity } = facts;
  const text = scalarText;
  if (absent(min)) return complaints.required(`${path}.min`, 'required when validRange is defined');
  if (compareQuantities(min, capacity) > 0)
    complaints.invalid(`${path}.min`, text(min), `min is larger than capacity value: ${text(capacity)}`);
  if (compareQuantities(usual, min) < 0)
    complaints.invalid(`${path}.min`, text(usual), `default is less than min: ${text(min)}`);
  if (!absent(max)) {
    if (compareQuantities(min, max) > 0)
      complaints.invalid(`${path}.max`, text(min), `min is larger than max: ${text(max)}`);
    if (compareQuantities(max, capacity) > 0)
      complaints.invalid(`${path}.max`, text(max), `max is larger than capacity value: ${text(capacity)}`);
    if (compareQuantities(usual, max) > 0)
      complaints.invalid(`${path}.max`, text(usual), `default is more than max: ${text(max)}`);
  }
  if (!absent(step)) validateStep(complaints, range, `${path}.step`, facts);
}

export function validateRequestPolicy(complaints: Complaints, policy: Rec, path: string, capacity: unknown): void {
  const options = list(policy['validValues']);
  const range = policy['validRange'];
  const usual = field(policy, 'default');
  if (options.length > 0 && isRec(range))
    return complaints.forbidden(
      path,
      'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time',
    );
  if (options.length === 0 && !isRec(range)) return;
  if (absent(usual))
    return complaints.required(
      `${path}.default`,
      `required when ${options.length > 0 ? 'validValues' : 'validRange'} is defined`,
    );
  if (options.length > 0) validateOptions(complaints, options, `${path}.validValues`, { usual, capacity });
  else if (isRec(range)) validateRange(complaints, range, `${path}.validRange`, { usual, capacity });
}
