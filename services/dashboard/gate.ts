/**
 * Who may ask, and for what: a pure function of a request's head. The key in the path is the only credential, so it is
 * compared in constant time and before anything else is told; the Host header must name this server, so that a page of
 * another origin cannot reach it through a name that it points at 127.0.0.1 (DNS rebinding).
 */
import { createHash, timingSafeEqual } from 'node:crypto';

export interface RequestHead {
  readonly method: string | undefined;
  /** The request target, as `/key/app.js?x`. */
  readonly url: string | undefined;
  readonly host: string | undefined;
}

export type Verdict =
  | { readonly kind: 'refuse'; readonly code: 403 | 405; readonly text: string }
  /** The key without its slash: relative links need it. */
  | { readonly kind: 'redirect'; readonly location: string }
  /** `name`: what follows the key, without query; empty for the page. */
  | { readonly kind: 'serve'; readonly name: string };

/**
 * What every answer carries. Scripts, styles and connections come from this server alone, and no text becomes markup.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // The address holds the key: it goes to nobody, and nothing stays in a cache.
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

export class Gate {
  readonly #digest: Buffer;

  constructor(key: string) {
    this.#digest = digestOf(key);
  }

  /** `port`: the one that is listened on. */
  judge(head: RequestHead, port: number): Verdict {
    const host = head.host?.toLowerCase();
    if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`)
      return refuse(403, 'this host name is not served\n');
    const path = (head.url ?? '').split('?', 1)[0] ?? '';
    const slash = path.indexOf('/', 1);
    const key = slash < 0 ? path.slice(1) : path.slice(1, slash);
    // Digests have one length, whatever was sent: timingSafeEqual takes no others.
    if (!path.startsWith('/') || !timingSafeEqual(digestOf(key), this.#digest))
      return refuse(403, 'the access key is missing or wrong; open the address that `navarch dashboard` printed\n');
    if (head.method !== 'GET') return refuse(405, 'only GET\n');
    return slash < 0 ? { kind: 'redirect', location: `/${key}/` } : { kind: 'serve', name: path.slice(slash + 1) };
  }
}

const digestOf = (text: string) => createHash('sha256').update(text).digest();
const refuse = (code: 403 | 405, text: string): Verdict => ({ kind: 'refuse', code, text });
