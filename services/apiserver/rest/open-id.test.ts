import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { VirtualClock } from '../../../platform/clock.js';
import { seededRandom } from '../../../platform/random.js';
import { ServiceAccountTokens } from '../auth/service-account-tokens.js';
import { openIdDocument } from './open-id.js';

it("whoever reads the two documents can verify a service account's token (KEP-1393)", async () => {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const clock = new VirtualClock();
  const tokens = new ServiceAccountTokens({ key: privateKey, clock, random: seededRandom(1) });
  const issuer = {
    issuer: tokens.issuer,
    address: 'https://api:6443',
    algorithm: tokens.algorithm,
    keySet: () => tokens.keySet(),
  };
  const read = (path: string) => {
    const { headers = {}, body } = openIdDocument(path, issuer) ?? { body: '' };
    return {
      type: headers['content-type'],
      document: JSON.parse(Buffer.from(body as Uint8Array).toString()) as Record<string, unknown>,
    };
  };
  const configuration = read('/.well-known/openid-configuration');
  expect(configuration).toEqual({
    type: 'application/json',
    document: {
      issuer: tokens.issuer,
      jwks_uri: 'https://api:6443/openid/v1/jwks',
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    },
  });
  const keys = read('/openid/v1/jwks/');
  expect(keys.type).toBe('application/jwk-set+json');
  const { token } = await tokens.sign({ namespace: 'a', serviceAccount: { name: 's', uid: 'u' } }, ['x'], 3600);
  const verified = await jwtVerify(token, createLocalJWKSet(keys.document as unknown as JSONWebKeySet), {
    issuer: tokens.issuer,
    audience: 'x',
    currentDate: new Date(clock.now()),
  });
  expect(verified.payload.sub).toBe('system:serviceaccount:a:s');
  expect(JSON.stringify(keys.document)).not.toContain('"d"');
  expect(createPublicKey(privateKey).asymmetricKeyType).toBe('ec');
  expect(openIdDocument('/openid/v2', issuer)).toBeUndefined();
});
