/**
 * Issue 6, row 4: bootstrap tokens in upstream's format (k8s.io/cluster-bootstrap/token/api, kube-apiserver's
 * authenticator for them).
 */
import { describe, expect, it } from 'vitest';
import {
  hasExpired,
  NODE_JOINERS_GROUP,
  parseTokenText,
  readTokenSecret,
  spendUse,
  tokenExpiration,
  tokenSecret,
  type BootstrapToken,
} from './bootstrap-token.js';
import type { Secret } from './gen/types.js';

const secret = (data: Record<string, string>, over: Partial<Secret> = {}): Secret => ({
  metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
  type: 'bootstrap.kubernetes.io/token',
  data: Object.fromEntries(
    Object.entries({ 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', ...data }).map(([key, value]) => [
      key,
      Buffer.from(value).toString('base64'),
    ]),
  ),
  ...over,
});

it.each([
  'abcde.0123456789abcdef',
  'abcdef.0123456789abcde',
  'ABCDEF.0123456789abcdef',
  'abcdef0123456789abcdef',
  'abcdef.0123456789abcdef\n',
  'abcdef.0123456789abcdefg',
  '',
])('%j is not a token', (text) => {
  expect(parseTokenText(text)).toBeUndefined();
});

describe('a Secret as a token', () => {
  it('reads what kubeadm writes', () => {
    const found = readTokenSecret(
      secret({
        description: 'rack 4',
        expiration: '2026-03-01T00:00:00Z',
        'usage-bootstrap-authentication': 'true',
        'usage-bootstrap-signing': 'true',
        'auth-extra-groups': `${NODE_JOINERS_GROUP},system:bootstrappers:a`,
      }),
    );
    expect(found).toEqual({
      id: 'abcdef',
      secret: '0123456789abcdef',
      description: 'rack 4',
      expires_ms: Date.parse('2026-03-01T00:00:00Z'),
      usages: ['signing', 'authentication'],
      extraGroups: ['system:bootstrappers:a', NODE_JOINERS_GROUP],
      uses: undefined,
    });
  });

  it.each<[string, Secret]>([
    ['another type', secret({}, { type: 'Opaque' })],
    ['another name', secret({}, { metadata: { name: 'bootstrap-token-zzzzzz' } })],
    ['no secret', secret({ 'token-secret': '' })],
    ['a group outside its own', secret({ 'auth-extra-groups': 'system:masters' })],
    ['a group that ends in a dash', secret({ 'auth-extra-groups': 'system:bootstrappers:a-' })],
    ['a number of uses that is none', secret({ 'navarch-uses': '-1' })],
  ])('%s makes it void', (_what, found) => {
    expect(readTokenSecret(found)).toBeUndefined();
  });

  it.each(['tomorrow', '2026-03-01', '2026-13-01T00:00:00Z'])('an expiration of %j has passed', (expiration) => {
    expect(hasExpired(readTokenSecret(secret({ expiration })) ?? { expires_ms: undefined }, 1)).toBe(true);
    expect(tokenExpiration(secret({ expiration }))).toBe(0);
  });

  it('is written as it is read, and loses a use at a time', () => {
    const token: BootstrapToken = {
      id: 'abcdef',
      secret: '0123456789abcdef',
      description: 'd',
      usages: ['authentication'],
      extraGroups: [NODE_JOINERS_GROUP],
      expires_ms: 1_800_000_000_000,
      uses: 2,
    };
    expect(readTokenSecret(tokenSecret(token))).toEqual(token);
    expect(readTokenSecret(spendUse(tokenSecret(token), 2))).toEqual({ ...token, uses: 1 });
  });
});
