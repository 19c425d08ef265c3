/** `spec.conversion` of a CRD (apiextensions/validation), and how a webhook may be named. */
import { portNumber } from '../names.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { listOf, textOf } from './structural.js';

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
  if (strategy === '') return [fieldErrors.required(`${path}.strategy`)];
  if (!STRATEGIES.includes(strategy)) return [fieldErrors.notSupported(`${path}.strategy`, strategy, STRATEGIES)];
  if (strategy === 'None') {
    const unused = 'should not be set when strategy is not set to Webhook';
    return [...(config === undefined ? [] : [fieldErrors.forbidden(configPath, unused)]), ...(reviews.length === 0 ? [] : [fieldErrors.forbidden(reviewsPath, unused)])];
  }
  return [
    ...(config === undefined ? [fieldErrors.required(configPath, 'required when strategy is set to Webhook')] : clientConfigErrors(config, configPath)),
    ...reviewErrors(reviews, reviewsPath),
  ];
}

function reviewErrors(reviews: readonly string[], path: string): FieldError[] {
  if (reviews.length === 0) return [fieldErrors.required(path)];
  const errors = reviews.flatMap((review, index) => (reviews.indexOf(review) < index ? [fieldErrors.invalid(`${path}[${index}]`, review, 'duplicate version')] : []));
  if (!reviews.some((review) => REVIEWS.includes(review))) errors.push(fieldErrors.invalid(path, reviews, `must include at least one of ${REVIEWS.join(', ')}`));
  return errors;
}

/** Either a URL or a Service, never both. */
function clientConfigErrors(config: JsonObject, path: string): FieldError[] {
  const url = textOf(config['url']);
  const service = isObject(config['service']) ? config['service'] : undefined;
  if ((url === '') === (service === undefined)) return [fieldErrors.required(path, 'exactly one of url or service is required')];
  return service === undefined ? urlErrors(url, `${path}.url`) : serviceErrors(service, `${path}.service`);
}

const FORM = '; desired format: https://host[/path]';

function urlErrors(text: string, path: string): FieldError[] {
  if (!URL.canParse(text)) return [fieldErrors.required(path, `url must be a valid URL: ${text.slice(0, 256)}${FORM}`)];
  const url = new URL(text);
  const wrong: readonly (readonly [boolean, string, string])[] = [
    [url.protocol !== 'https:', url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${FORM}`], [url.host === '', '', `host must be specified${FORM}`],
    [url.username !== '' || url.password !== '', url.username, 'user information is not permitted in the URL'],
    [url.hash !== '', url.hash.slice(1), 'fragments are not permitted in the URL'], [url.search !== '', url.search.slice(1), 'query parameters are not permitted in the URL'],
  ];
  return wrong.filter(([isWrong]) => isWrong).map(([, value, why]) => fieldErrors.invalid(path, value, why));
}

function serviceErrors(service: JsonObject, path: string): FieldError[] {
  const errors = ['name', 'namespace'].filter((name) => textOf(service[name]) === '').map((name) => fieldErrors.required(`${path}.${name}`));
  const port = service['port'];
  if (port !== undefined && portNumber(Number(port)).length > 0) errors.push(fieldErrors.invalid(`${path}.port`, port, `port is not valid: ${portNumber(Number(port)).join(',')}`));
  const urlPath = textOf(service['path']);
  if (urlPath !== '' && !urlPath.startsWith('/')) errors.push(fieldErrors.invalid(`${path}.path`, urlPath, 'must start with a \'/\''));
  return errors;
}
