import { createHash, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import { tokenSecret, type BootstrapToken } from '../../../apimachinery/bootstrap-token.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { systemClock, VirtualClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { createClusterPki, type ClusterPki } from '../../../platform/pki/cluster-pki.js';
import { issueCertificate } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import type { AuthenticationRequest } from '../ports.js';
import { MapReader } from '../testing-reader.js';
import { ClusterAuthenticator } from './authenticator.js';
import { bootstrapClusterRoleBindings, bootstrapClusterRoles } from './bootstrap-policy.js';
import { RbacAuthorizer } from './rbac-authorizer.js';
import { covers, ruleAllows } from './rbac-rules.js';
import type { PolicyRule } from './policy-rule.js';
import { selfSubjectReview, selfSubjectRulesReview, tokenRequest } from './reviews.js';
import { ServiceAccountTokens } from './service-account-tokens.js';

const NOBODY: UserInfo = { name: 'nobody', groups: ['system:authenticated'] };
let pki: ClusterPki;

beforeAll(async () => {
  pki = await createClusterPki({ clock: systemClock, random: systemRandom });
});

function bootstrapped(): MapReader {
  const reader = new MapReader();
  for (const role of bootstrapClusterRoles()) reader.put('clusterroles', role);
  for (const binding of bootstrapClusterRoleBindings()) reader.put('clusterrolebindings', binding);
  return reader;
}

const resource = (user: UserInfo, verb: string, group: string, name: string, more: object = {}) =>
  ({ kind: 'resource', user, verb, group, version: 'v1', resource: name, ...more }) as const;

describe('RBAC rules', () => {
  const request = {
    kind: 'resource',
    verb: 'get',
    group: '',
    resource: 'pods',
    subresource: 'log',
    namespace: 'a',
    name: 'p',
  } as const;

  it.each<[string, PolicyRule, boolean]>([
    ['the subresource by name', { verbs: ['get'], apiGroups: [''], resources: ['pods/log'] }, true],
    ['the parent alone', { verbs: ['get'], apiGroups: [''], resources: ['pods'] }, false],
    ['any parent', { verbs: ['get'], apiGroups: [''], resources: ['*/log'] }, true],
    ['everything', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, true],
    ['another name', { verbs: ['get'], apiGroups: [''], resources: ['pods/log'], resourceNames: ['q'] }, false],
    ['no groups', { verbs: ['get'], resources: ['pods/log'] }, false],
  ])('%s', (_, rule, allowed) => expect(ruleAllows(rule, request)).toBe(allowed));

  it('match paths by prefix only at a star', () => {
    const rule = { verbs: ['get'], nonResourceURLs: ['/healthz/*', '/version'] };
    const ask = (path: string) => ruleAllows(rule, { kind: 'path', verb: 'get', path });
    expect([ask('/healthz/etcd'), ask('/healthz'), ask('/version'), ask('/version/x')]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  it('cover what they grant and no more (escalation check)', () => {
    const held: PolicyRule[] = [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', '*/log'] }];
    expect(covers(held, { verbs: ['get'], apiGroups: [''], resources: ['pods', 'pods/log'] })).toBe(true);
    expect(covers(held, { verbs: ['delete'], apiGroups: [''], resources: ['pods'] })).toBe(false);
    expect(covers(held, { verbs: ['*'], apiGroups: [''], resources: ['pods'] })).toBe(false);
    const named: PolicyRule[] = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] }];
    expect(covers(named, { verbs: ['get'], apiGroups: [''], resources: ['secrets'] })).toBe(false);
  });
});

describe('the RBAC authorizer', () => {
  it('gives masters everything, workers no Secrets, the anonymous only the version', async () => {
    const authorizer = new RbacAuthorizer(bootstrapped());
    const allowed = async (a: Parameters<typeof authorizer.authorize>[0]) => (await authorizer.authorize(a)).allowed;
    const worker = { name: 'system:node:w1', groups: ['system:nodes'] };
    expect(await allowed(resource({ name: 'admin', groups: ['system:masters'] }, 'delete', '', 'nodes'))).toBe(true);
    expect(await allowed(resource(worker, 'list', 'discovery.k8s.io', 'endpointslices'))).toBe(true);
    expect(await allowed(resource(worker, 'get', '', 'secrets', { namespace: 'a', name: 's' }))).toBe(false);
    const anonymous = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
    expect(await allowed({ kind: 'nonResource', user: anonymous, verb: 'get', path: '/version' })).toBe(true);
    expect(await allowed({ kind: 'nonResource', user: anonymous, verb: 'get', path: '/metrics' })).toBe(false);
    expect(await allowed(resource(anonymous, 'list', '', 'pods'))).toBe(false);
  });

  it('keeps a RoleBinding inside its namespace, and follows changes', async () => {
    const reader = bootstrapped();
    const authorizer = new RbacAuthorizer(reader);
    const ask = (namespace: string) => authorizer.authorize(resource(NOBODY, 'list', '', 'pods', { namespace }));
    expect((await ask('a')).allowed).toBe(false);
    reader.put('rolebindings', {
      metadata: { name: 'b', namespace: 'a' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'User', name: 'nobody' }],
    } as KubeObject);
    expect([(await ask('a')).allowed, (await ask('b')).allowed, (await ask('')).allowed]).toEqual([true, false, false]);
    reader.remove('rolebindings');
    expect((await ask('a')).allowed).toBe(false);
  });

  it('tells a user who it is, and when it asked', async () => {
    const call = {
      user: { ...NOBODY, extra: { 'authentication.kubernetes.io/credential-id': ['JTI=1'] } },
      kind: {} as never,
      name: '',
      dryRun: false,
      warn: () => undefined,
    };
    expect(await selfSubjectReview({ now: () => 0 }).create?.(call, {} as KubeObject)).toMatchObject({
      metadata: { creationTimestamp: '1970-01-01T00:00:00Z' },
      status: { userInfo: { extra: { 'authentication.kubernetes.io/credential-id': ['JTI=1'] } } },
    });
  });

  it('tells a user its rules', async () => {
    const review = selfSubjectRulesReview(new RbacAuthorizer(bootstrapped()));
    const call = { user: NOBODY, kind: {} as never, name: '', dryRun: false, warn: () => undefined };
    const answer = (await review.create?.(call, { spec: { namespace: 'a' } } as KubeObject)) as {
      status?: { resourceRules: unknown[] };
    };
    expect(answer.status?.resourceRules).toContainEqual({
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    });
  });

  it('tells an administrator what the roles say, too, and that everything is allowed, once', async () => {
    const review = selfSubjectRulesReview(new RbacAuthorizer(bootstrapped()));
    const call = {
      user: { name: 'admin', groups: ['system:masters', 'system:authenticated'] },
      kind: {} as never,
      name: '',
      dryRun: false,
      warn: () => undefined,
    };
    const answer = (await review.create?.(call, { spec: { namespace: 'a' } } as KubeObject)) as {
      status?: { resourceRules: { resources: string[] }[]; nonResourceRules: { nonResourceURLs: string[] }[] };
    };
    expect(answer.status?.resourceRules.map(({ resources }) => resources.join())).toEqual([
      '*',
      expect.any(String),
      expect.any(String),
    ]);
    expect(answer.status?.resourceRules[0]).toEqual({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] });
    expect(answer.status?.nonResourceRules.filter(({ nonResourceURLs }) => nonResourceURLs.includes('*'))).toHaveLength(
      1,
    );
    expect(answer.status?.nonResourceRules.flatMap(({ nonResourceURLs }) => nonResourceURLs)).toContain('/openapi/*');
  });
});

describe('authentication', () => {
  function setUp() {
    const clock = new VirtualClock(Date.now());
    const reader = bootstrapped();
    reader.put('serviceaccounts', { metadata: { name: 'web', namespace: 'a', uid: 'u1' } });
    const tokens = new ServiceAccountTokens({ key: pki.serviceAccountKey, clock, random: systemRandom });
    const authorizer = new RbacAuthorizer(reader);
    const authenticator = new ClusterAuthenticator({
      reader,
      authorizer,
      tokens,
      audiences: ['api'],
      clock,
      logger: silentLogger,
    });
    const bearer = (token: string): AuthenticationRequest => ({
      headers: { authorization: `Bearer ${token}` },
      path: '/',
    });
    return { clock, reader, tokens, authenticator, bearer };
  }
  const account = { namespace: 'a', serviceAccount: { name: 'web', uid: 'u1' } };

  it('reads name and groups from a verified certificate, and trusts no other', async () => {
    const { authenticator } = setUp();
    const leaf = await issueCertificate(
      pki.clusterAuthority,
      { subject: { commonName: 'jane', organizations: ['dev', 'ops'] }, usages: ['client'], lifetime_ms: 60_000 },
      { clock: systemClock, random: systemRandom },
    );
    const der = new X509Certificate(leaf.certificate).raw;
    const verified = await authenticator.authenticate({
      headers: {},
      path: '/',
      peerCertificate: { der, verified: true },
    });
    expect(verified).toEqual({
      name: 'jane',
      groups: ['dev', 'ops', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [`X509SHA256=${createHash('sha256').update(der).digest('hex')}`],
      },
    });
    const unverified = await authenticator.authenticate({
      headers: {},
      path: '/',
      peerCertificate: { der, verified: false },
    });
    expect(unverified).toBeUndefined();
    expect((await authenticator.authenticate({ headers: {}, path: '/' }))?.name).toBe('system:anonymous');
  });

  it('takes the bearer token that a browser puts among the protocols of a WebSocket, and refuses one that is wrong', async () => {
    const { authenticator, tokens } = setUp();
    const { token } = await tokens.sign(account, ['api'], 3600);
    const protocol = (text: string) =>
      `base64url.bearer.authorization.k8s.io.${Buffer.from(text).toString('base64url')}`;
    const ask = async (protocols: string, upgrade = 'websocket') =>
      (await authenticator.authenticate({ headers: { upgrade, 'sec-websocket-protocol': protocols }, path: '/' }))
        ?.name;
    expect(await ask(`${protocol(token)}, v5.channel.k8s.io`)).toBe('system:serviceaccount:a:web');
    for (const wrong of [
      protocol(token),
      `${protocol('x')}, v5`,
      `${protocol(token)}, ${protocol(token)}, v5`,
      `${protocol(token)}=, v5`,
      `${protocol(token)}!, v5`,
    ]) {
      expect(await ask(wrong), wrong).toBeUndefined();
    }
    expect(await ask('v5.channel.k8s.io')).toBe('system:anonymous');
    expect(await ask(`${protocol(token)}, v5`, 'SPDY/3.1')).toBe('system:anonymous');
  });

  it('refuses a certificate that has expired since its connection was opened (issue 6, row 8)', async () => {
    const { authenticator, clock } = setUp();
    const leaf = await issueCertificate(
      pki.clusterAuthority,
      { subject: { commonName: 'jane' }, usages: ['client'], lifetime_ms: 60_000 },
      { clock: systemClock, random: systemRandom },
    );
    const peerCertificate = { der: new X509Certificate(leaf.certificate).raw, verified: true };
    expect((await authenticator.authenticate({ headers: {}, path: '/', peerCertificate }))?.name).toBe('jane');
    await clock.advance(120_000);
    expect(await authenticator.authenticate({ headers: {}, path: '/', peerCertificate })).toBeUndefined();
  });

  it('knows bootstrap tokens until they are revoked, used up or expired (issue 6, row 4)', async () => {
    const { authenticator, clock, reader, bearer } = setUp();
    const token = {
      id: 'abcdef',
      secret: '0123456789abcdef',
      description: '',
      usages: ['authentication'],
      extraGroups: ['system:bootstrappers:x'],
      expires_ms: clock.now() + 60_000,
      uses: undefined,
    };
    const store = (changes: Partial<BootstrapToken> = {}) =>
      reader.put('secrets', tokenSecret({ ...token, ...changes }));
    const whoIs = (text = 'abcdef.0123456789abcdef') => authenticator.authenticate(bearer(text));
    expect(await whoIs()).toBeUndefined();
    store();
    expect(await whoIs()).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:x', 'system:authenticated'],
    });
    expect(await whoIs('abcdef.0123456789abcdee')).toBeUndefined();
    expect(await authenticator.authenticateToken('abcdef.0123456789abcdef', ['api', 'other'])).toMatchObject({
      audiences: ['api'],
    });
    expect(await authenticator.authenticateToken('abcdef.0123456789abcdef', ['other'])).toBeUndefined();
    store({ usages: ['signing'] });
    expect(await whoIs()).toBeUndefined();
    store({ uses: 0 });
    expect(await whoIs()).toBeUndefined();
    store();
    expect(await whoIs()).toBeDefined();
    await clock.advance(60_001);
    expect(await whoIs()).toBeUndefined();
    store({ expires_ms: undefined });
    expect(await whoIs()).toBeDefined();
    reader.remove('secrets');
    expect(await whoIs()).toBeUndefined();
  });

  it('accepts a token while its account exists, and refuses it for any other reason', async () => {
    const { tokens, authenticator, bearer, clock, reader } = setUp();
    const { token } = await tokens.sign(account, ['api'], 3600);
    expect((await authenticator.authenticate(bearer(token)))?.groups).toContain('system:serviceaccounts:a');
    const foreign = await tokens.sign(account, ['vault'], 3600);
    expect(await authenticator.authenticate(bearer(foreign.token))).toBeUndefined();
    const [head, body, signature] = token.split('.') as [string, string, string];
    expect(await authenticator.authenticate(bearer(`${head}.${body}.${signature.slice(0, -4)}AAAA`))).toBeUndefined();
    expect(await authenticator.authenticate(bearer('garbage'))).toBeUndefined();
    reader.put('serviceaccounts', { metadata: { name: 'web', namespace: 'a', uid: 'u2' } });
    await clock.advance(11_000);
    expect(await authenticator.authenticate(bearer(token))).toBeUndefined();
  });

  it('refuses an expired token', async () => {
    const { tokens, authenticator, bearer, clock } = setUp();
    const { token } = await tokens.sign(account, ['api'], 600);
    await clock.advance(601_000);
    expect(await authenticator.authenticate(bearer(token))).toBeUndefined();
  });

  it('never takes a broken credential for anonymous', async () => {
    const { authenticator } = setUp();
    expect(await authenticator.authenticate({ headers: { authorization: 'Basic abc' }, path: '/' })).toBeUndefined();
    expect((await authenticator.authenticate({ headers: {}, path: '/' }))?.name).toBe('system:anonymous');
  });

  it('impersonates only for those who may', async () => {
    const { tokens, authenticator, bearer, reader } = setUp();
    const { token } = await tokens.sign(account, ['api'], 3600);
    const request = { ...bearer(token), headers: { ...bearer(token).headers, 'impersonate-user': 'jane' } };
    await expect(authenticator.authenticate(request)).rejects.toThrow('cannot impersonate');
    const nameless = {
      ...request,
      headers: { ...bearer(token).headers, 'impersonate-group': 'x', 'impersonate-extra-a%20b': 'c' },
    };
    await expect(authenticator.authenticate(nameless)).rejects.toThrow(
      'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"x"}, Extra:map[string][]string{"a b":[]string{"c"}}} without impersonating a user name',
    );
    reader.put('clusterrolebindings', {
      metadata: { name: 'sudo' },
      roleRef: { apiGroup: '', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'web', namespace: 'a' }],
    } as KubeObject);
    expect(await authenticator.authenticate(request)).toEqual({ name: 'jane', groups: ['system:authenticated'] });
  });

  it('issues tokens bound to a pod that runs under the account', async () => {
    const { tokens, authenticator, bearer, reader, clock } = setUp();
    const pod = { metadata: { name: 'p', namespace: 'a', uid: 'pu' }, spec: { serviceAccountName: 'web' } };
    reader.put('pods', pod as KubeObject);
    const handler = tokenRequest({ reader, tokens, audiences: ['api'], clock, random: systemRandom });
    const warnings: string[] = [];
    const call = {
      user: NOBODY,
      kind: {} as never,
      namespace: 'a',
      name: 'web',
      dryRun: false,
      warn: (message: string) => void warnings.push(message),
    };
    const ask = (spec: object) =>
      handler.create?.(call, { spec } as KubeObject) as Promise<{
        metadata: object;
        spec: { expirationSeconds: number };
        status: { token: string; expirationTimestamp: string };
      }>;
    const { status, metadata } = await ask({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p' } });
    expect(metadata).toMatchObject({ name: 'web', namespace: 'a', uid: expect.any(String) as string });
    expect(
      (await authenticator.authenticate(bearer(status.token)))?.extra?.['authentication.kubernetes.io/pod-name'],
    ).toEqual(['p']);
    await expect(ask({ expirationSeconds: 5 })).rejects.toThrow('10 minutes');
    await expect(ask({ expirationSeconds: 2 ** 32 + 1 })).rejects.toThrow('2^32 seconds');
    // Issue 6, row 8: no token until 2163.
    expect(warnings).toEqual([]);
    const long = await ask({ expirationSeconds: 2 ** 32 });
    expect(long.spec.expirationSeconds).toBe(31_536_000);
    expect(Date.parse(long.status.expirationTimestamp) - clock.now()).toBeLessThanOrEqual(31_536_000_000);
    expect(warnings).toEqual(['requested expiration of 4294967296 seconds shortened to 31536000 seconds']);
    await expect(ask({ boundObjectRef: { kind: 'Pod', name: 'p', uid: 'other' } })).rejects.toThrow(
      'does not match the UID',
    );
    await expect(ask({ boundObjectRef: { kind: 'constructor', name: 'p' } })).rejects.toThrow('cannot bind token');
    reader.remove('pods');
    await clock.advance(11_000);
    expect(await authenticator.authenticate(bearer(status.token))).toBeUndefined();
  });
});
