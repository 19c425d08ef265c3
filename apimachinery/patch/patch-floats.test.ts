/**
 * Whole numbers that a patch writes as floats, for fields of built-in kinds: as kube-apiserver v1.36 takes them (rows 9
 * and 42).
 */
import { describe, expect, it } from 'vitest';
import { floatsOfPatch } from './patch-floats.js';
import { patchIssues } from '../codec/issues.js';

const floatsIn = (type: 'json' | 'merge' | 'strategic', body: string): Record<string, string> =>
  Object.fromEntries(
    floatsOfPatch({ type, patch: JSON.parse(body) as unknown }, patchIssues(Buffer.from(body)).patchFloats),
  );

describe('floats of a patch', () => {
  it.each([
    ['merge', '{"spec":{"replicas":1.0,"minReadySeconds":2}}', { 'spec.replicas': '1.0' }],
    ['merge', '{"spec":{"ports":[{"port":8e1}]}}', { 'spec.ports[0].port': '8e1' }],
    ['strategic', '{"spec":{"replicas":1.0}}', {}],
    ['json', '[{"op":"add","path":"/spec/replicas","value":1.0}]', { 'spec.replicas': '1.0' }],
    ['json', '[{"op":"replace","path":"/spec/ports/0","value":{"port":80.0}}]', { 'spec.ports[0].port': '80.0' }],
    [
      'json',
      '[{"op":"add","path":"/spec/replicas","value":1.0},{"op":"replace","path":"/spec/replicas","value":2}]',
      {},
    ],
    ['json', '[{"op":"add","path":"/metadata/annotations/a~1b","value":1.0}]', { 'metadata.annotations.a/b': '1.0' }],
  ] as const)('%s %s', (type, body, floats) => expect(floatsIn(type, body)).toEqual(floats));
});
