/** What is asked about a call: as over HTTP, a namespace is in itself (issue 6, row 42). */
import { expect, it } from 'vitest';
import type { AuthorizationAttributes } from '../ports.js';
import { authorizeCall } from './authorize-call.js';

it.each([
  [{ resource: { group: '', version: 'v1', resource: 'namespaces' }, name: 'n' }, 'n'],
  [{ resource: { group: '', version: 'v1', resource: 'namespaces' } }, undefined],
  [{ resource: { group: '', version: 'v1', resource: 'nodes' }, name: 'n' }, undefined],
  [{ resource: { group: '', version: 'v1', resource: 'pods' }, namespace: 'd', name: 'n' }, 'd'],
])('%j is in namespace %s', async (asked, namespace) => {
  const seen: AuthorizationAttributes[] = [];
  const authorizer = {
    authorize(attributes: AuthorizationAttributes) {
      seen.push(attributes);
      return Promise.resolve({ allowed: true, reason: '' });
    },
  };
  await authorizeCall({ authorizer, user: { name: 'jane', groups: [] } }, 'get', asked);
  expect(seen.map((one) => (one.kind === 'resource' ? one.namespace : one.path))).toEqual([namespace]);
});
