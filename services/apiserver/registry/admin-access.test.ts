/** KEP-5018: a claim may ask for devices that others use only where the namespace is marked for it. */
import { expect, it } from 'vitest';
import type { UnknownObject } from '../../../apimachinery/object.js';
import { resources, startRegistry } from './testing.js';

const claims = {
  group: 'resource.k8s.io',
  version: 'v1',
  resource: 'resourceclaims',
  kind: 'ResourceClaim',
  namespaced: true,
};

const claim: UnknownObject = {
  apiVersion: 'resource.k8s.io/v1',
  kind: 'ResourceClaim',
  metadata: { name: 'c' },
  spec: {
    devices: {
      requests: [
        { name: 'a', exactly: { deviceClassName: 'c' } },
        { name: 'b', exactly: { deviceClassName: 'c', adminAccess: true } },
      ],
    },
  },
};

const namespace = (name: string, labels: Record<string, string>): UnknownObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

it('is refused in a namespace without the label', async () => {
  await using registry = await startRegistry();
  for (const [name, labels] of [
    ['plain', {}],
    ['off', { 'resource.kubernetes.io/admin-access': 'false' }],
    ['marked', { 'resource.kubernetes.io/admin-access': 'true' }],
  ] as const) {
    await registry.service.create({ resource: resources.namespaces, object: namespace(name, labels) });
  }
  for (const name of ['plain', 'off']) {
    await expect(registry.service.create({ resource: claims, namespace: name, object: claim })).rejects.toMatchObject({
      status: {
        code: 422,
        details: {
          causes: [
            {
              field: 'spec.devices.requests[1].adminAccess',
              message:
                'Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace',
            },
          ],
        },
      },
    });
  }
  await registry.service.create({ resource: claims, namespace: 'marked', object: claim });
});
