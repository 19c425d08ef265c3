import { apiErrors } from '../../../apimachinery/status.js';

/** Where a list goes on: after `start`, in the state of `revision`; `latest` for a token handed out after compaction. */
export interface ContinueToken {
  readonly revision: number | 'latest';
  /** The last key of the page before, without the resource's prefix. */
  readonly after: string;
}

const VERSION = 'meta.k8s.io/v1';

/** Opaque to clients; the fields are those of k8s.io/apiserver/pkg/storage's continue token. */
export function encodeContinue(token: ContinueToken): string {
  const rv = token.revision === 'latest' ? -1 : token.revision;
  return Buffer.from(JSON.stringify({ v: VERSION, rv, start: `${token.after}\0` })).toString('base64url');
}

export function decodeContinue(text: string): ContinueToken {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw invalidToken('it cannot be decoded');
  }
  const { v, rv, start } = (parsed ?? {}) as Record<string, unknown>;
  if (v !== VERSION) throw invalidToken('its version is not known');
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0 || rv < -1) throw invalidToken('it names no resource version');
  if (typeof start !== 'string' || !start.endsWith('\0') || start.startsWith('/') || start.includes('..')) {
    throw invalidToken('it names no key');
  }
  return { revision: rv === -1 ? 'latest' : rv, after: start.slice(0, -1) };
}

const invalidToken = (why: string) => apiErrors.badRequest(`continue key is not valid: ${why}`);
