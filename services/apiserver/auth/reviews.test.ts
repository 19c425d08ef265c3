/** What reviews answer, each put to kube-apiserver v1.36 too (issue 6, rows 17 and 42). */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { ResourceCall } from '../ports.js';
import { namespaceLifecycle } from '../admission/namespace-lifecycle.js';
import { admin, startRegistry } from '../registry/testing.js';
import { MapReader } from '../testing-reader.js';
import type { ClusterAuthenticator } from './authenticator.js';
import { selectorErrors, type ReviewSelectors } from './review-selectors.js';
import { localSubjectAccessReview, selfSubjectReview, tokenReview } from './reviews.js';

const noTokens = {
  authenticateToken: () => Promise.resolve(undefined),
} as Partial<ClusterAuthenticator> as ClusterAuthenticator;
const nobodyMay = { authorize: () => Promise.resolve({ allowed: false, reason: '' }) };
const TOKENS = { group: 'authentication.k8s.io', version: 'v1', resource: 'tokenreviews' };
const LOCAL = { group: 'authorization.k8s.io', version: 'v1', resource: 'localsubjectaccessreviews' };

describe('a review of a token', () => {
  it.each([{}, { spec: {} }, { spec: { token: '' } }, { spec: null }, { spec: { audiences: ['a'] } }])(
    'without one is a bad request: %j',
    async (body) => {
      await using test = await startRegistry();
      test.registry.register({ resource: TOKENS, handler: tokenReview(noTokens, ['api']) });
      await expect(test.service.create({ resource: TOKENS, object: body as KubeObject })).rejects.toMatchObject({
        status: { code: 400, reason: 'BadRequest', message: 'token is required for TokenReview in authentication' },
      });
    },
  );

  it('keeps nothing of its metadata that only the server writes', async () => {
    await using test = await startRegistry();
    test.registry.register({ resource: TOKENS, handler: tokenReview(noTokens, ['api']) });
    const metadata = {
      generateName: 'g',
      uid: 'u',
      creationTimestamp: '2020-01-01T00:00:00Z',
      deletionTimestamp: '2020-01-01T00:00:00Z',
    };
    const { object } = await test.service.create({
      resource: TOKENS,
      object: { metadata, spec: { token: 'x' } } as KubeObject,
    });
    expect(object).toMatchObject({ metadata: { generateName: 'g' }, status: { error: 'invalid bearer token' } });
    expect(Object.keys(object.metadata ?? {})).toEqual(['generateName']);
  });
});

it('a review of oneself repeats nothing of the request', async () => {
  const call: ResourceCall = { user: admin, kind: {} as never, name: '', dryRun: false, warn: () => undefined };
  const answer = await selfSubjectReview(new VirtualClock(0)).create?.(call, {
    metadata: { name: 'x', labels: { a: 'b' } },
  });
  expect(answer?.metadata).toEqual({ creationTimestamp: '1970-01-01T00:00:00Z' });
});

it('rights in a namespace may be asked about before it is there', async () => {
  const plugin = namespaceLifecycle(new MapReader());
  await using test = await startRegistry({
    admission: {
      mutate: (attributes) => plugin.mutate?.(attributes) ?? Promise.resolve(),
      validate: () => Promise.resolve(),
    },
  });
  test.registry.register({ resource: LOCAL, handler: localSubjectAccessReview(nobodyMay) });
  const object = {
    spec: { user: 'u', resourceAttributes: { namespace: 'n', verb: 'get', resource: 'pods' } },
  } as KubeObject;
  expect((await test.service.create({ resource: LOCAL, namespace: 'n', object })).object).toMatchObject({
    status: { allowed: false },
  });
});

describe('selectors of a review that cannot be read', () => {
  const requirement = (key: string, operator: string, ...values: string[]) => ({
    key,
    operator,
    ...(values.length === 0 ? {} : { values }),
  });
  it.each<[ReviewSelectors, readonly string[]]>([
    [{}, []],
    [{ fieldSelector: { rawSelector: 'a=b' }, labelSelector: { rawSelector: 'a in (b)' } }, []],
    [
      { fieldSelector: { rawSelector: 'a' }, labelSelector: { rawSelector: 'a in' } },
      ['fieldSelector ignored', 'labelSelector ignored'],
    ],
    [{ labelSelector: { requirements: [requirement('a', 'Exists'), requirement('b', 'NotIn', 'x', 'y')] } }, []],
    [{ labelSelector: { requirements: [requirement('a', '')] } }, ['labelSelector ignored']],
    [
      { labelSelector: { requirements: [requirement('a', 'Exists'), requirement('b', 'Like', 'x')] } },
      ['labelSelector partially ignored'],
    ],
    [{ fieldSelector: { requirements: [requirement('a', 'In', 'x')] } }, []],
    [{ fieldSelector: { requirements: [requirement('a', 'In', 'x', 'y')] } }, ['fieldSelector ignored']],
    [
      { fieldSelector: { requirements: [requirement('a', 'NotIn', 'x'), requirement('b', 'Exists')] } },
      ['fieldSelector partially ignored'],
    ],
  ])('%j', (selectors, errors) => {
    expect(selectorErrors(selectors)).toEqual(
      errors.map((error) => `spec.resourceAttributes.${error} due to parse error`),
    );
  });
});
