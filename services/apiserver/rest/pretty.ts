/** `?pretty=true`: JSON for people, as Go's json.MarshalIndent prints it. */
import type { RestResponse } from './message.js';

/** Longer answers stay as they are: nobody reads them, and printing them would hold up others. */
const PRETTY_BYTES_MAX = 1024 * 1024;

/** The same answer, printed over lines where the query asks for it and the body is one JSON value. */
export function prettyWhenAsked(response: RestResponse, url: string): RestResponse {
  const { body } = response;
  if (!url.includes('pretty=') || !(body instanceof Uint8Array) || body.length > PRETTY_BYTES_MAX) return response;
  const asked = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('pretty');
  if (asked !== 'true' && asked !== '1') return response;
  if (!/^application\/json(;|$)/.test(String(response.headers['content-type'] ?? ''))) return response;
  return { ...response, body: Buffer.from(printJson(Buffer.from(body).toString('utf8'))) };
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^{}[\],:"\s]+/g;

/** Works on the text alone, so that no number changes. */
export function printJson(text: string): string {
  const parts: string[] = [];
  let depth = 0;
  let opened = false;
  const line = (): string => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '}' || token === ']') {
      depth -= 1;
      parts.push(opened ? token : `${line()}${token}`);
      opened = false;
      continue;
    }
    if (opened) parts.push(line());
    opened = token === '{' || token === '[';
    if (opened) depth += 1;
    parts.push(token === ',' ? `,${line()}` : token === ':' ? ': ' : token);
  }
  return parts.join('');
}
