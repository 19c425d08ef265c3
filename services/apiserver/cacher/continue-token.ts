import { apiErrors } from '../../../apimachinery/status.js';

/**
 * Where a list goes on: after `start`, in the state of `revision`; `latest` for a token handed out after compaction.
 */
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

/** Throws BadRequest in kube-apiserver's words. */
export function decodeContinue(text: string): ContinueToken {
  const foreign = /[^A-Za-z0-9_-]/.exec(text);
  if (foreign !== null || text.length % 4 === 1)
    throw invalidToken(`: illegal base64 data at input byte ${foreign?.index ?? text.length - 1}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw invalidToken(': it is not JSON');
  }
  const { v, rv, start } = (parsed ?? {}) as Record<string, unknown>;
  if (v !== VERSION)
    throw invalidToken(
      `: server does not recognize this encoded version ${typeof v === 'string' ? v.slice(0, 64) : ''}`,
    );
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0 || rv < -1)
    throw invalidToken(`: incorrect encoded start resourceVersion (version ${VERSION})`);
  if (typeof start !== 'string' || start === '') throw invalidToken(`: encoded start key empty (version ${VERSION})`);
  if (!start.endsWith('\0') || start.startsWith('/') || start.includes('..'))
    throw invalidToken(`: ${start.slice(0, 64)}`);
  return { revision: rv === -1 ? 'latest' : rv, after: start.slice(0, -1) };
}

const invalidToken = (why: string) => apiErrors.badRequest(`invalid continue token: continue key is not valid${why}`);
