/** Pods and their RuntimeClass: answers of kube-apiserver v1.36 to the same objects. */
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { AdmissionAttributes } from '../ports.js';
import { MapReader } from '../testing-reader.js';
import { runtimeClass } from './runtime-class.js';

const reader = new MapReader();
reader.put('runtimeclasses', { metadata: { name: 'plain' }, handler: 'h' } as KubeObject);
reader.put('runtimeclasses', {
  metadata: { name: 'full' },
  handler: 'h',
  overhead: { podFixed: { cpu: '250m', memory: '64Mi' } },
  scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }] },
} as KubeObject);

async function admitted(spec: object, operation: 'CREATE' | 'UPDATE' = 'CREATE'): Promise<object> {
  const object = { metadata: { name: 'p' }, spec: structuredClone(spec) };
  const attributes = {
    kind: { group: '', resource: 'pods' },
    operation,
    name: 'p',
    object,
    warn: () => undefined,
  } as unknown as AdmissionAttributes;
  const plugin = runtimeClass(reader);
  await plugin.mutate?.(attributes);
  await plugin.validate?.(attributes);
  return object.spec;
}

const OTHER = "pods \"p\" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

describe('a new pod', () => {
  it.each<[string, object, object]>([
    ['without a class', {}, {}],
    [
      'of a class that says nothing',
      { runtimeClassName: 'plain', nodeSelector: { x: 'y' } },
      { nodeSelector: { x: 'y' } },
    ],
    [
      'takes over what the class says',
      { runtimeClassName: 'full' },
      {
        overhead: { cpu: '250m', memory: '64Mi' },
        nodeSelector: { a: 'b' },
        tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }],
      },
    ],
    [
      'keeps its own beside it',
      { runtimeClassName: 'full', nodeSelector: { x: 'y', a: 'b' }, tolerations: [{ key: 'z', operator: 'Exists' }] },
      {
        nodeSelector: { x: 'y', a: 'b' },
        tolerations: [
          { key: 'z', operator: 'Exists' },
          { key: 'k', operator: 'Exists', effect: 'NoSchedule' },
        ],
      },
    ],
    [
      'loses tolerations that another covers',
      {
        runtimeClassName: 'full',
        tolerations: [{ key: 'k', operator: 'Equal', value: '1', effect: 'NoSchedule' }, { operator: 'Exists' }],
      },
      { tolerations: [{ operator: 'Exists' }] },
    ],
    [
      'may say the overhead in other words',
      { runtimeClassName: 'full', overhead: { cpu: '0.25', memory: '65536Ki' } },
      { overhead: { cpu: '250m', memory: '64Mi' } },
    ],
  ])('%s', async (_name, spec, expected) => expect(await admitted(spec)).toMatchObject(expected));

  it.each<[string, object, string]>([
    [
      'a class that is not there',
      { runtimeClassName: 'nosuch' },
      'pods "p" is forbidden: pod rejected: RuntimeClass "nosuch" not found',
    ],
    ['another overhead', { runtimeClassName: 'full', overhead: { cpu: '1' } }, OTHER],
    [
      'an overhead of its own',
      { overhead: { cpu: '1' } },
      'pods "p" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    ],
    [
      'another node',
      { runtimeClassName: 'full', nodeSelector: { a: 'c' } },
      'pods "p" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[a] = b; pod.spec.nodeSelector[a] = c',
    ],
  ])('is refused with %s', async (_name, spec, message) => {
    await expect(admitted(spec)).rejects.toThrow(message);
    expect(await admitted(spec, 'UPDATE')).toEqual(spec);
  });
});
