/** `spec.conversion` of a CRD (apiextensions/validation). */
import { dns1035Label } from '../names.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import { listOf, textOf } from './structural.js';
import { clientConfigErrors } from './webhook-client.js';

const STRATEGIES = ['None', 'Webhook'];
const REVIEWS = ['v1', 'v1beta1'];

export function conversionErrors(conversion: unknown, path: string): FieldError[] {
  if (!isObject(conversion)) return [];
  const strategy = textOf(conversion['strategy']);
  const webhook = isObject(conversion['webhook']) ? conversion['webhook'] : {};
  const reviews = listOf(webhook['conversionReviewVersions']).filter((review): review is string => typeof review === 'string');
  const config = isObject(webhook['clientConfig']) ? webhook['clientConfig'] : undefined;
  // The places are those of the version that kube-apiserver validates.
  const [configPath, reviewsPath] = [`${path}.webhookClientConfig`, `${path}.conversionReviewVersions`];
  if (strategy !== 'Webhook') {
    const unused = 'should not be set when strategy is not set to Webhook';
    const unknown = strategy === '' ? [fieldErrors.required(`${path}.strategy`)] : STRATEGIES.includes(strategy) ? [] : [fieldErrors.notSupported(`${path}.strategy`, strategy, STRATEGIES)];
    return [...unknown, ...(config === undefined ? [] : [fieldErrors.forbidden(configPath, unused)]), ...(reviews.length === 0 ? [] : [fieldErrors.forbidden(reviewsPath, unused)])];
  }
  return [
    ...(config === undefined ? [fieldErrors.required(configPath, 'required when strategy is set to Webhook')] : clientConfigErrors(config, configPath)),
    ...reviewErrors(reviews, reviewsPath),
  ];
}

function reviewErrors(reviews: readonly string[], path: string): FieldError[] {
  if (reviews.length === 0) return [fieldErrors.required(path)];
  const seen = new Set<string>();
  const errors = reviews.flatMap((review, index) => {
    const wrong = seen.has(review) ? ['duplicate version'] : dns1035Label(review);
    seen.add(review);
    return wrong.map((why) => fieldErrors.invalid(`${path}[${index}]`, review, why));
  });
  if (!reviews.some((review) => REVIEWS.includes(review))) errors.push(fieldErrors.invalid(path, reviews, `must include at least one of ${REVIEWS.join(', ')}`));
  return errors;
}
