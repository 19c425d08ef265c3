/** `?pretty=true`, and for tools that show it to people: JSON as Go's json.MarshalIndent prints it. */
import type { RestResponse } from './message.js';

/** Longer answers stay as they are: nobody reads them, and printing them would hold up others. */
const PRETTY_BYTES_MAX = 1024 * 1024;

/**
 * Of what these fetch, somebody wants to read the answer (k8s.io/apiserver, responsewriters.isPrettyPrint). Not so
 * where they name JSON as what they take: people leave that to the tool, scripts do not, and scripts cut answers with
 * patterns that hold no spaces.
 */
const FOR_PEOPLE = /^(curl|Wget|Mozilla\/5\.0)/;
/** What Go's strconv.ParseBool takes for true. */
const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

export interface Asker {
  readonly url: string;
  readonly userAgent?: string | undefined;
  readonly accept?: string | undefined;
}

/**
 * The same answer, printed over lines where the query or the client's name asks for it and the body is one JSON value.
 */
export function prettyWhenAsked(response: RestResponse, { url, userAgent = '', accept }: Asker): RestResponse {
  const { body } = response;
  if (!(body instanceof Uint8Array) || body.length > PRETTY_BYTES_MAX) return response;
  const asked = url.includes('pretty=') ? new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('pretty') : null;
  const isForPeople = FOR_PEOPLE.test(userAgent) && accept !== 'application/json';
  if (asked === null || asked === '' ? !isForPeople : !TRUE.has(asked)) return response;
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
