/** The service account tokens that a pod asks for: a member grants these and no others. */
import type { Pod, ServiceAccountTokenProjection, Volume } from '../gen/types.js';
import { approximate } from '../int64.js';

export interface TokenNeed {
  /** '' is the API server's own. */
  readonly audience: string;
  readonly expiration_s: number;
}

const EXPIRATION_S_DEFAULT = 3600;

export function tokenNeedOf({
  audience = '',
  expirationSeconds = EXPIRATION_S_DEFAULT,
}: ServiceAccountTokenProjection): TokenNeed {
  return { audience, expiration_s: approximate(expirationSeconds) };
}

export function tokensOf({ projected }: Volume): TokenNeed[] {
  return (projected?.sources ?? []).flatMap(({ serviceAccountToken: token }) =>
    token === undefined ? [] : [tokenNeedOf(token)],
  );
}

export function tokensOfPod(pod: Pod): TokenNeed[] {
  return (pod.spec?.volumes ?? []).flatMap(tokensOf);
}
