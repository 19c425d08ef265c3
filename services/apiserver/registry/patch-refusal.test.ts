/** Patches that leave no object of the kind: code and words were put to kube-apiserver. */
import { describe, expect, it } from 'vitest';
import type { PatchType } from '../../../apimachinery/object-service.js';
import { isApiError } from '../../../apimachinery/status.js';
import type { ApiError } from '../../../apimachinery/status.js';
import { configMap, resources, startRegistry } from './testing.js';

const at = { resource: resources.configMaps, namespace: 'default', name: 'a' };

async function refusalOf(type: PatchType, patch: unknown): Promise<ApiError | undefined> {
  await using test = await startRegistry();
  await test.service.create({
    resource: resources.configMaps,
    namespace: 'default',
    object: configMap('a', { a: '1' }),
  });
  try {
    await test.service.patch({ ...at, type, patch, fieldManager: 'me' });
    return undefined;
  } catch (error) {
    if (isApiError(error)) return error;
    throw error;
  }
}

describe('what a patch leaves is refused in the words of kube-apiserver', () => {
  it.each<[PatchType, unknown, number, string]>([
    [
      'strategic',
      { data: { a: 1 } },
      422,
      ' "" is invalid: patch: Invalid value: "map[data:map[a:1]]": cannot convert int64 to string',
    ],
    ['strategic', { data: [] }, 422, 'cannot restore map from slice'],
    ['strategic', { metadata: 5 }, 422, 'cannot restore struct from: int64'],
    ['strategic', { immutable: 'x' }, 422, 'unrecognized type: bool'],
    ['strategic', { binaryData: { x: '?' } }, 422, 'error decoding from json: illegal base64 data'],
    [
      'merge',
      { data: { a: 1 } },
      422,
      'json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
    ],
    ['merge', { metadata: 5 }, 422, 'json: cannot unmarshal number into Go struct field ConfigMap.metadata of type'],
    ['merge', { kind: 'Foo' }, 422, 'patch: Invalid value'],
    [
      'merge',
      { metadata: { uid: 'x' } },
      422,
      'ConfigMap "a" is invalid: metadata.uid: Invalid value: "x": field is immutable',
    ],
    [
      'merge',
      { metadata: { name: null } },
      400,
      'the name of the object (a based on URL) was undeterminable: name must be provided',
    ],
    [
      'json',
      [{ op: 'remove', path: '/metadata' }],
      400,
      'the name of the object (a based on URL) was undeterminable: name must be provided',
    ],
    ['json', [{ op: 'replace', path: '', value: [] }], 422, 'patch: Invalid value: "[]"'],
    ['apply', { data: {} }, 400, 'invalid object type: /, Kind='],
    ['apply', { kind: 'ConfigMap' }, 400, 'invalid object type: /, Kind=ConfigMap'],
    ['apply', { apiVersion: 'apps/v1', kind: 'Deployment' }, 400, 'invalid object type: apps/v1, Kind=Deployment'],
    [
      'apply',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', managedFields: [] } },
      400,
      'metadata.managedFields must be nil',
    ],
    [
      'apply',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { a: 1 } },
      500,
      'failed to create typed patch object (/a; /v1, Kind=ConfigMap): .data.a: expected string, got &value.valueUnstructured{Value:1}',
    ],
  ])('%s %j', async (type, patch, code, message) => {
    const error = await refusalOf(type, patch);
    expect([error?.code, error?.message]).toEqual([code, expect.stringContaining(message)]);
  });

  it('a strategic merge patch does not change the type', async () => {
    expect(await refusalOf('strategic', { kind: 'Foo', apiVersion: 'v9' })).toBeUndefined();
  });

  it('an apply without a name creates nothing', async () => {
    await using test = await startRegistry();
    const apply = test.service.patch({
      ...at,
      type: 'apply',
      patch: { apiVersion: 'v1', kind: 'ConfigMap' },
      fieldManager: 'me',
    });
    await expect(apply).rejects.toThrow('the name of the object (a based on URL) was undeterminable');
  });

  it('an empty list of managers asks to forget them, and what is applied empty is owned', async () => {
    await using test = await startRegistry();
    const created = await test.service.patch({
      ...at,
      type: 'apply',
      patch: { ...configMap('a'), data: {} },
      fieldManager: 'me',
    });
    expect(created.object.metadata?.managedFields?.[0]?.fieldsV1).toEqual({ 'f:data': {} });
    const forgotten = await test.service.update({
      ...at,
      object: { ...configMap('a', { a: '1' }), metadata: { name: 'a', managedFields: [] } },
    });
    expect(forgotten.object.metadata?.managedFields).toBeUndefined();
  });
});
