/**
 * What Go's net/url makes of a URL (RFC 3986, leniently), and its complaints: the API server's texts quote them.
 * WHATWG's parser accepts and mends other things.
 */

interface ParsedUrl {
  readonly scheme: string;
  readonly userInfo: string | undefined;
  readonly host: string;
  readonly query: string;
  readonly fragment: string;
}

export type UrlResult =
  | { readonly kind: 'url'; readonly url: ParsedUrl }
  | { readonly kind: 'bad'; readonly why: string };

class Bad extends Error {}

function schemeOf(text: string): { readonly scheme: string; readonly rest: string } {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  if (match?.[1] !== undefined) return { scheme: match[1].toLowerCase(), rest: text.slice(match[0].length) };
  if (text.startsWith(':')) throw new Bad('missing protocol scheme');
  return { scheme: '', rest: text };
}

/** Each `%` starts two hexadecimal digits. */
function checkEscapes(text: string): void {
  const wrong = /%(?![0-9A-Fa-f]{2})/.exec(text);
  if (wrong !== null) throw new Bad(`invalid URL escape ${JSON.stringify(text.slice(wrong.index, wrong.index + 3))}`);
}

function checkHost(host: string): void {
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) throw new Bad("missing ']' in host");
    checkPort(host.slice(end + 1));
    return;
  }
  const colon = host.lastIndexOf(':');
  if (colon >= 0) checkPort(host.slice(colon));
  checkEscapes(host);
  const wrong = /[ "<>\\^`{|}]/.exec(host);
  if (wrong !== null) throw new Bad(`invalid character ${JSON.stringify(wrong[0])} in host name`);
}

function checkPort(port: string): void {
  if (port !== '' && !/^:\d*$/.test(port)) throw new Bad(`invalid port ${JSON.stringify(port)} after host`);
}

function parse(text: string): ParsedUrl {
  // Control characters are what is looked for.
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new Bad('net/url: invalid control character in URL');
  const hash = text.indexOf('#');
  const fragment = hash < 0 ? '' : text.slice(hash + 1);
  const { scheme, rest } = schemeOf(hash < 0 ? text : text.slice(0, hash));
  const question = rest.indexOf('?');
  const query = question < 0 ? '' : rest.slice(question + 1);
  const path = question < 0 ? rest : rest.slice(0, question);
  checkEscapes(fragment);
  if (!path.startsWith('//')) {
    const first = path.split('/')[0] ?? '';
    if (scheme === '' && first.includes(':')) throw new Bad('first path segment in URL cannot contain colon');
    // What follows a scheme without a slash is opaque and is not looked at.
    if (scheme === '' || path.startsWith('/')) checkEscapes(path);
    return { scheme, userInfo: undefined, host: '', query, fragment };
  }
  const slash = path.indexOf('/', 2);
  const authority = slash < 0 ? path.slice(2) : path.slice(2, slash);
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  checkHost(host);
  if (slash >= 0) checkEscapes(path.slice(slash));
  return { scheme, userInfo: at < 0 ? undefined : authority.slice(0, at), host, query, fragment };
}

/** `why` is the error's whole text, with the URL in it. */
export function parseGoUrl(text: string): UrlResult {
  try {
    return { kind: 'url', url: parse(text) };
  } catch (error) {
    if (!(error instanceof Bad)) throw error;
    return { kind: 'bad', why: `parse ${JSON.stringify(text)}: ${error.message}` };
  }
}
