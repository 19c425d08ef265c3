/**
 * Where a webhook is: a URL or a Service, never both (k8s.io/apiserver/pkg/util/webhook). For CRDs' conversion and for
 * admission.
 */
import { parseGoUrl } from '../go-url.js';
import { dns1123Subdomain, portNumber } from '../names.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import { textOf } from './structural.js';

const FORM = '; desired format: https://host[/path]';

export function clientConfigErrors(config: unknown, path: string): FieldError[] {
  const url = isObject(config) ? config['url'] : undefined;
  const service = isObject(config) && isObject(config['service']) ? config['service'] : undefined;
  const hasUrl = url !== undefined && url !== null;
  if (hasUrl === (service !== undefined))
    return [fieldErrors.required(path, 'exactly one of url or service is required')];
  return service === undefined ? urlErrors(textOf(url), `${path}.url`) : serviceErrors(service, `${path}.service`);
}

function urlErrors(text: string, path: string): FieldError[] {
  const parsed = parseGoUrl(text);
  if (parsed.kind === 'bad') return [fieldErrors.required(path, `url must be a valid URL: ${parsed.why}${FORM}`)];
  const { scheme, host, userInfo, fragment, query } = parsed.url;
  const wrong: readonly (readonly [boolean, string, string])[] = [
    [scheme !== 'https', scheme, `'https' is the only allowed URL scheme${FORM}`],
    [host === '', '', `host must be specified${FORM}`],
    [userInfo !== undefined, userInfo ?? '', 'user information is not permitted in the URL'],
    [fragment !== '', fragment, 'fragments are not permitted in the URL'],
    [query !== '', query, 'query parameters are not permitted in the URL'],
  ];
  return wrong.filter(([isWrong]) => isWrong).map(([, value, why]) => fieldErrors.invalid(path, value, why));
}

function serviceErrors(service: Readonly<Record<string, unknown>>, path: string): FieldError[] {
  // kube-apiserver takes one for the other here: a missing name is a complaint about the namespace.
  const errors = ['namespace', 'name']
    .filter((name) => textOf(service[name]) === '')
    .map((name) => fieldErrors.required(`${path}.${name === 'name' ? 'namespace' : 'name'}`));
  const port = Number(service['port'] ?? 0);
  const wrongPort = portNumber(port);
  if (wrongPort.length > 0)
    errors.push(fieldErrors.invalid(`${path}.port`, port, `port is not valid: ${wrongPort.join(', ')}`));
  return [...errors, ...pathErrors(textOf(service['path']), `${path}.path`)];
}

function pathErrors(urlPath: string, path: string): FieldError[] {
  if (urlPath === '' || urlPath === '/') return [];
  if (urlPath === '//') return [fieldErrors.invalid(path, urlPath, 'segment[0] may not be empty')];
  const errors = urlPath.startsWith('/') ? [] : [fieldErrors.invalid(path, urlPath, "must start with a '/'")];
  const steps = urlPath.slice(1).replace(/\/$/, '').split('/');
  for (const [index, step] of steps.entries()) {
    const wrong = step === '' ? [' may not be empty'] : dns1123Subdomain(step).map((why) => `: ${why}`);
    errors.push(...wrong.map((why) => fieldErrors.invalid(path, urlPath, `segment[${index}]${why}`)));
  }
  return errors;
}
