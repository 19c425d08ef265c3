import { expect, it } from 'vitest';
import type { KubeObject } from '../object.js';
import { validateMetadata, validateMetadataUpdate } from './metadata.js';

const PODS = { group: '', resource: 'pods', namespaced: true };
const object = (metadata: object): KubeObject => ({ metadata: { name: 'a', namespace: 'b', ...metadata } });

const cases: readonly [string, object, readonly string[]][] = [
  ['good', { labels: { constructor: 'x', 'example.com/a': '' }, finalizers: ['example.com/f', 'orphan'] }, []],
  ['no name', { name: '' }, ['metadata.name: Required value: name or generateName is required']],
  ['no namespace', { namespace: '' }, ['metadata.namespace: Required value']],
  [
    'a finalizer of nobody',
    { finalizers: ['x'] },
    ['metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified'],
  ],
  [
    'an owner without uid',
    { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x' }] },
    ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'],
  ],
  [
    'annotations of more than 256 KiB',
    { annotations: { a: 'x'.repeat(262_144) } },
    ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  ],
];

it.each(cases)('%s', (_title, metadata, expected) => {
  expect(validateMetadata(object(metadata), PODS).map((error) => `${error.field}: ${error.detail}`)).toEqual(expected);
});

it('names every complaint, in order', () => {
  const errors = validateMetadata(object({ name: 'A_b', labels: { 'a b': 'c d' } }), PODS);
  expect(errors.map((error) => error.field)).toEqual(['metadata.name', 'metadata.labels', 'metadata.labels']);
  expect(errors[0]?.detail).toContain('Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of');
});

it('lets RBAC names be path segments, and cluster kinds have no namespace', () => {
  const roles = { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', namespaced: false };
  expect(validateMetadata({ metadata: { name: 'system:node' } }, roles)).toEqual([]);
  expect(validateMetadata({ metadata: { name: 'a/b', namespace: 'c' } }, roles).map((error) => error.detail)).toEqual([
    'Invalid value: "a/b": may not contain \'/\'',
    'Forbidden: not allowed on this type',
  ]);
});

it('keeps identity on update, and adds no finalizer to what is being deleted', () => {
  const old = object({ uid: '1', deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['a.b/c'] });
  expect(validateMetadataUpdate(old, old)).toEqual([]);
  const changed = object({ uid: '2', finalizers: ['a.b/c', 'a.b/d'] });
  expect(validateMetadataUpdate(changed, old).map((error) => error.field)).toEqual([
    'metadata.uid',
    'metadata.finalizers',
  ]);
});
