/** Kubernetes' URL library: what Go's url.ParseRequestURI takes. */
import type { Library } from '../check/declare.js';
import { OPAQUE, global, member } from '../check/declare.js';
import { ArrayList, CelError, HashMap, Opaque } from '../values/values.js';
import type { Value } from '../values/values.js';

/** Scheme, authority, path and query. */
const FORM = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?]*))?([^?]*)(?:\?([^]*))?$/;
const HOST = /^(?:\[([0-9a-fA-F:.]+(?:%25[^\]]+)?)\]|([^:[\]]*))(?::(\d*))?$/;

interface Parts {
  readonly scheme: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly query: string;
}

class UrlValue extends Opaque {
  readonly type = OPAQUE.URL;
  readonly parts: Parts;

  constructor(parts: Parts) {
    super();
    this.parts = parts;
  }

  equals(other: Opaque): boolean {
    return other instanceof UrlValue && JSON.stringify(other.parts) === JSON.stringify(this.parts);
  }
}

/** Undefined for what is no absolute URI and no absolute path. */
function parseRequestUri(text: string): Parts | undefined {
  // Go refuses control characters; JavaScript's own parser would drop or escape them.
  if (
    text === '' ||
    /[\x00-\x20\x7f]/.test(text.replaceAll(' ', '')) ||
    /%(?![0-9a-fA-F]{2})/.test(text.split('?')[0] ?? '')
  )
    return undefined;
  if (text === '*') return { scheme: '', host: '', hostname: '', port: '', path: '*', query: '' };
  const [, scheme = '', authority, rest = '', query = ''] = FORM.exec(text.replace(/#[^]*$/, '')) ?? [];
  if (scheme === '' && !rest.startsWith('/') && authority === undefined) return undefined;
  const opaque = scheme !== '' && authority === undefined && !rest.startsWith('/');
  const host = (authority ?? '').replace(/^.*@/, '');
  const [whole, v6, name = '', port = ''] = HOST.exec(host) ?? [];
  if (whole === undefined || /[ <>"\\^`{|}]/.test(host)) return undefined;
  return {
    scheme: scheme.toLowerCase(),
    host: decode(host),
    hostname: decode(v6 ?? name),
    port,
    path: opaque ? '' : rest.replaceAll(' ', '%20'),
    query,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function queryOf(query: string): Value {
  const values = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(query)) values.set(key, [...(values.get(key) ?? []), value]);
  const map = new HashMap();
  for (const [key, list] of values) map.set(key, new ArrayList(list));
  return map;
}

function url(text: string): Value {
  const parts = parseRequestUri(text);
  return parts === undefined
    ? new CelError(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      )
    : new UrlValue(parts);
}

export const isRequestUri = (text: string): boolean => parseRequestUri(text) !== undefined;

const part =
  (name: keyof Parts) =>
  ({ parts }: UrlValue): string =>
    parts[name];

export const URLS: Library = {
  url: [global('string_to_url', '(string) URL', url)],
  isURL: [global('is_url_string', '(string) bool', isRequestUri)],
  getScheme: [member('url_get_scheme', '(URL) string', part('scheme'))],
  getHost: [member('url_get_host', '(URL) string', part('host'))],
  getHostname: [member('url_get_hostname', '(URL) string', part('hostname'))],
  getPort: [member('url_get_port', '(URL) string', part('port'))],
  getEscapedPath: [member('url_get_escaped_path', '(URL) string', part('path'))],
  getQuery: [member('url_get_query', '(URL) map(string, list(string))', ({ parts }: UrlValue) => queryOf(parts.query))],
};
