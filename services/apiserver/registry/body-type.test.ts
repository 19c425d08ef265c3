/** A body of another type than the URL's, in the words of kube-apiserver v1.36 (row 42). */
import { describe, expect, it } from 'vitest';
import type { Resource, UnknownObject } from '../../../apimachinery/object.js';
import { resources, startRegistry } from './testing.js';

const unregistered = (kind: string, version: string): string =>
  `no kind "${kind}" is registered for version "${version}" in scheme "pkg/runtime/scheme.go:111"`;

const CASES: readonly (readonly [string, Resource, string, string, string])[] = [
  [
    'a kind of the same group',
    resources.pods,
    'v1',
    'Service',
    'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion',
  ],
  [
    'a kind of another group',
    resources.pods,
    'apps/v1',
    'Deployment',
    'Deployment in version "v1" cannot be handled as a Pod: converting (v1.Deployment) to (core.Pod): unknown conversion',
  ],
  [
    'a pod for a deployment',
    resources.deployments,
    'v1',
    'Pod',
    'Pod in version "v1" cannot be handled as a Deployment: converting (v1.Pod) to (apps.Deployment): unknown conversion',
  ],
  [
    'an answer',
    resources.pods,
    'v1',
    'Status',
    'Status in version "v1" cannot be handled as a Pod: converting (v1.Status) to (core.Pod): unknown conversion',
  ],
  [
    'a list',
    resources.pods,
    'v1',
    'PodList',
    'PodList in version "v1" cannot be handled as a Pod: converting (v1.PodList) to (core.Pod): unknown conversion',
  ],
  [
    'the body of a subresource',
    resources.pods,
    'policy/v1',
    'Eviction',
    'Eviction in version "v1" cannot be handled as a Pod: converting (v1.Eviction) to (core.Pod): unknown conversion',
  ],
  [
    'options',
    resources.pods,
    'v1',
    'DeleteOptions',
    'DeleteOptions in version "v1" cannot be handled as a Pod: converting (v1.DeleteOptions) to (core.Pod): unknown conversion',
  ],
  [
    'a version that is not',
    resources.pods,
    'v9',
    'Pod',
    `Pod in version "v9" cannot be handled as a Pod: ${unregistered('Pod', 'v9')}`,
  ],
  [
    'a kind that is not',
    resources.pods,
    'v1',
    'Foo',
    `Foo in version "v1" cannot be handled as a Pod: ${unregistered('Foo', 'v1')}`,
  ],
  [
    'a group without the kind',
    resources.pods,
    'apps/v1',
    'Pod',
    `Pod in version "v1" cannot be handled as a Pod: ${unregistered('Pod', 'apps/v1')}`,
  ],
  [
    'a custom kind',
    resources.pods,
    'stable.example.com/v1',
    'CronTab',
    `CronTab in version "v1" cannot be handled as a Pod: ${unregistered('CronTab', 'stable.example.com/v1')}`,
  ],
  [
    'a former version',
    resources.deployments,
    'apps/v1beta1',
    'Deployment',
    'the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)',
  ],
  [
    'a former group',
    resources.deployments,
    'extensions/v1beta1',
    'Deployment',
    'the API version in the data (extensions/v1beta1) does not match the expected API version (apps/v1)',
  ],
];

describe('the type of a body', () => {
  it.each(CASES)('%s', async (_title, resource, apiVersion, kind, message) => {
    await using registry = await startRegistry();
    const object: UnknownObject = { apiVersion, kind, metadata: { name: 'a' } };
    await expect(registry.service.create({ resource, namespace: 'n', object })).rejects.toMatchObject({
      status: { code: 400, message },
    });
    await expect(registry.service.update({ resource, namespace: 'n', name: 'a', object })).rejects.toMatchObject({
      status: { code: 400, message },
    });
  });

  it('is the type of the URL where the body names none', async () => {
    await using registry = await startRegistry();
    const object: UnknownObject = { apiVersion: '', kind: '', metadata: { name: 'a' } };
    const made = await registry.service.create({ resource: resources.configMaps, namespace: 'n', object });
    expect(made.object).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
  });
});
