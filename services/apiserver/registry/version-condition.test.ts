/**
 * The version that a write names (issue 6, row 42): 0 is none, what is no number is an error, a Scale is conditional as
 * its parent is.
 */
import { describe, expect, it } from 'vitest';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { conditionOf } from './metadata.js';
import { configMap, resources, startRegistry } from './testing.js';

const { configMaps, deployments } = resources;
const namespace = 'default';
const leases = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' };

describe('the version of a write', () => {
  it.each([
    ['', ''],
    ['0', ''],
    ['00', ''],
    ['7', '7'],
    ['007', '7'],
    ['18446744073709551615', '18446744073709551615'],
  ])('%j is %j', (version, condition) => {
    expect(conditionOf({ resourceVersion: version })).toBe(condition);
  });

  it.each([
    ['abc', 'invalid syntax'],
    ['-1', 'invalid syntax'],
    ['+1', 'invalid syntax'],
    [' 1', 'invalid syntax'],
    ['1.5', 'invalid syntax'],
    ['0x1', 'invalid syntax'],
    ['18446744073709551616', 'value out of range'],
    ['9'.repeat(1000), 'value out of range'],
  ])('%s is refused', (version, why) => {
    expect(() => conditionOf({ resourceVersion: version })).toThrow(
      `strconv.ParseUint: parsing ${JSON.stringify(version.slice(0, 64))}: ${why}`,
    );
  });

  it.each(['0', '00'])('%s replaces, patches and applies whatever is there', async (resourceVersion) => {
    await using test = await startRegistry();
    const { service } = test;
    await service.create({ resource: configMaps, namespace, object: configMap('a') });
    const metadata = { name: 'a', resourceVersion };
    const replaced = await service.update({
      resource: configMaps,
      namespace,
      name: 'a',
      object: { metadata, data: { a: '1' } } as UnknownObject,
    });
    const patched = await service.patch({
      resource: configMaps,
      namespace,
      name: 'a',
      type: 'merge',
      patch: { metadata, data: { a: '2' } },
    });
    const applied = await service.patch({
      resource: configMaps,
      namespace,
      name: 'a',
      type: 'apply',
      fieldManager: 'm',
      force: true,
      patch: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '3' } },
    });
    expect([replaced, patched, applied].map(({ object }) => (object as UnknownObject)['data'])).toEqual([
      { a: '1' },
      { a: '2' },
      { a: '3' },
    ]);
    for (const { object, resourceVersion: version } of [replaced, patched, applied])
      expect([Number(version) > 0, object.metadata?.resourceVersion]).toEqual([true, version]);
  });

  it('0 is none where one is wanted', async () => {
    await using test = await startRegistry();
    const object = { metadata: { name: 'a' }, spec: {} } as KubeObject;
    await test.service.create({ resource: leases, namespace, object });
    const refusal = {
      status: {
        code: 422,
        message: expect.stringContaining(
          'metadata.resourceVersion: Invalid value: 0: must be specified for an update',
        ) as string,
      },
    };
    await expect(
      test.service.update({
        resource: leases,
        namespace,
        name: 'a',
        object: { ...object, metadata: { name: 'a', resourceVersion: '0' } },
      }),
    ).rejects.toMatchObject(refusal);
    await expect(
      test.service.patch({
        resource: leases,
        namespace,
        name: 'a',
        type: 'merge',
        patch: { metadata: { resourceVersion: '0' } },
      }),
    ).rejects.toMatchObject(refusal);
  });

  it('of a Scale holds for its parent, and so does its uid', async () => {
    await using test = await startRegistry();
    const spec = {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    };
    await test.service.create({
      resource: deployments,
      namespace,
      object: { metadata: { name: 'd' }, spec } as KubeObject,
    });
    const scale = (metadata: object, replicas: number) =>
      test.service.update({
        resource: deployments,
        namespace,
        name: 'd',
        subresource: 'scale',
        object: {
          apiVersion: 'autoscaling/v1',
          kind: 'Scale',
          metadata: { name: 'd', ...metadata },
          spec: { replicas },
        } as UnknownObject,
      });
    await expect(scale({ uid: 'x' }, 2)).rejects.toMatchObject({
      status: {
        code: 409,
        message: expect.stringContaining(
          'AdditionalErrorMsg: Precondition failed: UID in precondition: x, UID in object meta: ',
        ) as string,
      },
    });
    await expect(scale({ resourceVersion: '1' }, 2)).rejects.toMatchObject({ status: { code: 409 } });
    await expect(scale({ resourceVersion: 'abc' }, 2)).rejects.toMatchObject({
      status: { code: 500, message: 'strconv.ParseUint: parsing "abc": invalid syntax' },
    });
    await expect(
      test.service.patch({
        resource: deployments,
        namespace,
        name: 'd',
        subresource: 'scale',
        type: 'merge',
        patch: { metadata: { uid: 'x' }, spec: { replicas: 2 } },
      }),
    ).rejects.toMatchObject({
      status: {
        code: 409,
        details: { group: 'apps', kind: 'deployments/scale', name: 'd' },
        message: expect.stringContaining('Precondition failed: UID in precondition: x') as string,
      },
    });
    expect((await scale({ resourceVersion: '0' }, 3)).object).toMatchObject({ spec: { replicas: 3 } });
  });
});
