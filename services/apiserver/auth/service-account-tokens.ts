/**
 * Service-account tokens: JWTs signed ES256, bound to an audience and, when asked for, to a pod, node or secret
 * (KEP-1205). Signing and verification alone; whether what a token is bound to still exists is the authenticator's to
 * ask.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { SignJWT, errors, jwtVerify, type JWTPayload } from 'jose';
import type { Clock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';

export const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local';

export interface ObjectRef {
  readonly name: string;
  readonly uid: string;
}

export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: ObjectRef;
  readonly pod?: ObjectRef;
  readonly node?: ObjectRef;
  readonly secret?: ObjectRef;
}

export interface VerifiedToken extends TokenSubject {
  readonly audiences: readonly string[];
  /** The token's id, which goes into the user's extra. */
  readonly id: string;
  readonly expires_ms: number;
}

interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: ObjectRef;
  readonly pod?: ObjectRef;
  readonly node?: ObjectRef;
  readonly secret?: ObjectRef;
  readonly warnafter?: number;
}

const CLAIM = 'kubernetes.io';
const ALGORITHM = 'ES256';
const TOKEN_LENGTH_MAX = 16_384;

export interface TokenKeysOptions {
  /** PKCS #8 PEM, ECDSA P-256. */
  readonly key: string;
  readonly issuer?: string;
  readonly clock: Clock;
  readonly random: Random;
}

export class ServiceAccountTokens {
  readonly algorithm = ALGORITHM;
  readonly issuer: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(options: TokenKeysOptions) {
    this.issuer = options.issuer ?? DEFAULT_ISSUER;
    this.#privateKey = createPrivateKey(options.key);
    this.#publicKey = createPublicKey(this.#privateKey);
    const der = this.#publicKey.export({ format: 'der', type: 'spki' });
    this.#keyId = createHash('sha256').update(der).digest('base64url');
    this.#clock = options.clock;
    this.#random = options.random;
  }

  /** Signs a token that is valid from now on for `lifetime_s`. */
  async sign(
    subject: TokenSubject,
    audiences: readonly string[],
    lifetime_s: number,
  ): Promise<{ token: string; expires_ms: number }> {
    const now_s = Math.floor(this.#clock.now() / 1000);
    const claims: PrivateClaims = {
      namespace: subject.namespace,
      serviceaccount: subject.serviceAccount,
      ...(subject.pod === undefined ? {} : { pod: subject.pod }),
      ...(subject.node === undefined ? {} : { node: subject.node }),
      ...(subject.secret === undefined ? {} : { secret: subject.secret }),
    };
    const token = await new SignJWT({ [CLAIM]: claims })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#keyId })
      .setIssuer(this.issuer)
      .setSubject(`system:serviceaccount:${subject.namespace}:${subject.serviceAccount.name}`)
      .setAudience([...audiences])
      .setIssuedAt(now_s)
      .setNotBefore(now_s)
      .setExpirationTime(now_s + lifetime_s)
      .setJti(this.#random.uuid())
      .sign(this.#privateKey);
    return { token, expires_ms: (now_s + lifetime_s) * 1000 };
  }

  /**
   * Undefined when the token is not one of ours to judge (another issuer, not a JWT). Throws Error with a reason that
   * may be logged, not shown, when it is ours and invalid: expired, tampered with, for another audience.
   */
  async verify(token: string, audiences: readonly string[]): Promise<VerifiedToken | undefined> {
    if (token.length > TOKEN_LENGTH_MAX || token.split('.').length !== 3) return undefined;
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: [ALGORITHM],
        issuer: this.issuer,
        audience: [...audiences],
        currentDate: new Date(this.#clock.now()),
      }));
    } catch (error) {
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'iss') return undefined;
      if (error instanceof errors.JOSEError) throw new Error(`service account token: ${error.code}`, { cause: error });
      throw error;
    }
    return readClaims(payload, audiences);
  }

  /** JWK Set of the verification key, for `/openid/v1/jwks`. */
  keySet(): { keys: object[] } {
    return { keys: [{ ...this.#publicKey.export({ format: 'jwk' }), use: 'sig', alg: ALGORITHM, kid: this.#keyId }] };
  }
}

function isRef(value: unknown): value is ObjectRef {
  const ref = value as Partial<ObjectRef> | undefined;
  return typeof ref?.name === 'string' && typeof ref.uid === 'string';
}

function readClaims(payload: JWTPayload, accepted: readonly string[]): VerifiedToken {
  const claims = payload[CLAIM] as Partial<PrivateClaims> | undefined;
  if (
    claims === undefined ||
    typeof claims.namespace !== 'string' ||
    !isRef(claims.serviceaccount) ||
    payload.exp === undefined
  ) {
    throw new Error('service account token: claims are incomplete');
  }
  const audience = payload.aud === undefined ? [] : [payload.aud].flat();
  return {
    namespace: claims.namespace,
    serviceAccount: claims.serviceaccount,
    ...(isRef(claims.pod) ? { pod: claims.pod } : {}),
    ...(isRef(claims.node) ? { node: claims.node } : {}),
    ...(isRef(claims.secret) ? { secret: claims.secret } : {}),
    audiences: audience.filter((a) => accepted.includes(a)),
    id: payload.jti ?? '',
    expires_ms: payload.exp * 1000,
  };
}
