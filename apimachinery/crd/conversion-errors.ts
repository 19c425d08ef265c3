/** `spec.conversion` of a CRD (apiextensions/validation). */
import { dns1035Label } from '../names.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import { listOf, textOf } from './structural.js';
import { clientConfigErrors } from './webhook-client.js';

const STRATEGIES = ['None', 'Webhook'];
const REVIEWS = ['v1', 'v1beta1'];

const isKnown = (reviews: readonly unknown[]): boolean => reviews.some((review) => REVIEWS.includes(textOf(review)));

/** None at all is none that is unknown. */
export const knowsReviews = (reviews: readonly unknown[]): boolean => reviews.length === 0 || isKnown(reviews);

export interface ConversionOptions {
  /** An update of what named no version of reviews that is known before need not name one. */
  readonly anyReview?: boolean;
  /**
   * Of a definition that is in use the authorities of its webhook must be certificates, unless they were none before.
   */
  readonly checksBundle?: boolean;
}

export function conversionErrors(
  conversion: unknown,
  path: string,
  { anyReview = false, checksBundle = false }: ConversionOptions = {},
): FieldError[] {
  if (!isObject(conversion)) return [];
  const strategy = textOf(conversion['strategy']);
  const webhook = isObject(conversion['webhook']) ? conversion['webhook'] : {};
  const reviews = listOf(webhook['conversionReviewVersions']).filter(
    (review): review is string => typeof review === 'string',
  );
  const config = isObject(webhook['clientConfig']) ? webhook['clientConfig'] : undefined;
  // The places are those of the version that kube-apiserver validates.
  const [configPath, reviewsPath] = [`${path}.webhookClientConfig`, `${path}.conversionReviewVersions`];
  if (strategy !== 'Webhook') {
    const unused = 'should not be set when strategy is not set to Webhook';
    const unknown =
      strategy === ''
        ? [fieldErrors.required(`${path}.strategy`)]
        : STRATEGIES.includes(strategy)
          ? []
          : [fieldErrors.notSupported(`${path}.strategy`, strategy, STRATEGIES)];
    return [
      ...unknown,
      ...(config === undefined ? [] : [fieldErrors.forbidden(configPath, unused)]),
      ...(reviews.length === 0 ? [] : [fieldErrors.forbidden(reviewsPath, unused)]),
    ];
  }
  return [
    ...(config === undefined
      ? [fieldErrors.required(configPath, 'required when strategy is set to Webhook')]
      : clientConfigErrors(config, configPath)),
    ...(checksBundle && isWrongBundle(config?.['caBundle'])
      ? [fieldErrors.invalid(`${configPath}.caBundle`, config?.['caBundle'], NO_BUNDLE)]
      : []),
    ...reviewErrors(reviews, reviewsPath, anyReview),
  ];
}

const NO_BUNDLE = 'unable to load root certificates: unable to parse bytes as PEM block';

/** Base64 of what holds no block of a certificate. */
export function isWrongBundle(bundle: unknown): boolean {
  return (
    textOf(bundle) !== '' &&
    !/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.test(
      Buffer.from(textOf(bundle), 'base64').toString('latin1'),
    )
  );
}

function reviewErrors(reviews: readonly string[], path: string, anyReview: boolean): FieldError[] {
  if (reviews.length === 0) return [fieldErrors.required(path)];
  const seen = new Set<string>();
  const errors = reviews.flatMap((review, index) => {
    const wrong = seen.has(review) ? ['duplicate version'] : dns1035Label(review);
    seen.add(review);
    return wrong.map((why) => fieldErrors.invalid(`${path}[${index}]`, review, why));
  });
  if (!anyReview && !isKnown(reviews))
    errors.push(fieldErrors.invalid(path, reviews, `must include at least one of ${REVIEWS.join(', ')}`));
  return errors;
}
