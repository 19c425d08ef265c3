/**
 * Whether a bearer token is a bootstrap token that is good now, and who its holder is (kube-apiserver's
 * --enable-bootstrap-token-auth).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../../apimachinery/gen/types.js';
import {
  BOOTSTRAP_TOKEN_NAMESPACE,
  bootstrapUser,
  hasExpired,
  parseTokenText,
  readTokenSecret,
  tokenSecretName,
  type BootstrapToken,
} from '../../../apimachinery/bootstrap-token.js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { ObjectReader } from '../ports.js';

const SECRETS = { group: '', version: 'v1', resource: 'secrets' };

/** The token of a Secret, when the text shows that its holder knows it, and it may be used to authenticate now. */
export function judgeToken(secret: Secret | undefined, text: string, now_ms: number): BootstrapToken | undefined {
  const shown = parseTokenText(text);
  if (shown === undefined || secret === undefined || secret.metadata?.deletionTimestamp !== undefined) return undefined;
  const token = readTokenSecret(secret);
  if (token === undefined || token.id !== shown.id || !isSame(token.secret, shown.secret)) return undefined;
  return hasExpired(token, now_ms) || !token.usages.includes('authentication') ? undefined : token;
}

/** Undefined: not a bootstrap token, or not a good one. */
export function bootstrapUserOf(reader: Pick<ObjectReader, 'get'>, text: string, now_ms: number): UserInfo | undefined {
  const shown = parseTokenText(text);
  if (shown === undefined) return undefined;
  const secret = reader.get(SECRETS, { namespace: BOOTSTRAP_TOKEN_NAMESPACE, name: tokenSecretName(shown.id) }) as
    | Secret
    | undefined;
  const token = judgeToken(secret, text, now_ms);
  return token === undefined || token.uses === 0 ? undefined : bootstrapUser(token);
}

const digest = (text: string) => createHash('sha256').update(text).digest();
const isSame = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));
