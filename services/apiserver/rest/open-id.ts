/** The two documents by which others verify service-account tokens (KEP-1393): who issues them, and with which keys. */
import type { RestResponse } from './message.js';

export interface OpenIdIssuer {
  readonly issuer: string;
  /** `https://host:port` under which the keys are served. */
  readonly address: string;
  readonly algorithm: string;
  /** JWK Set. */
  keySet(): object;
}

const CONFIGURATION = '/.well-known/openid-configuration';
const KEYS = '/openid/v1/jwks';
/** Keys change with the cluster's authority alone: askers may keep them for an hour. */
const CACHE = 'public, max-age=3600';

export function openIdDocument(path: string, from: OpenIdIssuer): RestResponse | undefined {
  const asked = path.endsWith('/') ? path.slice(0, -1) : path;
  const answer = (contentType: string, document: object): RestResponse => ({
    status: 200,
    headers: { 'content-type': contentType, 'cache-control': CACHE },
    body: Buffer.from(JSON.stringify(document)),
  });
  if (asked === KEYS) return answer('application/jwk-set+json', from.keySet());
  if (asked !== CONFIGURATION) return undefined;
  return answer('application/json', {
    issuer: from.issuer,
    jwks_uri: `${from.address}${KEYS}`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [from.algorithm],
  });
}
