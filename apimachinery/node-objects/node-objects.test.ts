import { describe, expect, it } from 'vitest';
import type { ObjectKind } from '../../proto/gen/navarch/node/v1/node.js';
import { persistentVolumes, secrets } from '../gen/resources.js';
import type { Pod } from '../gen/types.js';
import type { KubeObject } from '../object.js';
import { reachableFrom, referenceKey, referencesOf } from './references.js';
import { NODE_OBJECTS } from './table.js';
import type { NamedObject, NodeObjectTable } from './table.js';
import { tokensOfPod } from './tokens.js';
import { kindOfWire, wireKindOf } from './wire.js';

describe('what a pod refers to', () => {
  it('counts every container, volume and pull secret (CVE-2023-2727, CVE-2024-3177)', () => {
    const pod: Pod = {
      spec: {
        imagePullSecrets: [{ name: 's1' }],
        initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 's2' } }] }],
        containers: [
          {
            name: 'c',
            env: [
              { name: 'A', valueFrom: { configMapKeyRef: { name: 'c1', key: 'k' } } },
              { name: 'B', value: 's9' },
            ],
          },
        ],
        ephemeralContainers: [
          { name: 'e', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's3', key: 'k' } } }] },
        ],
        volumes: [
          { name: 'a', secret: { secretName: 's4' } },
          { name: 'b', projected: { sources: [{ configMap: { name: 'c2' } }, { secret: { name: 's5' } }] } },
        ],
      },
    };
    const named = (kind: string) =>
      referencesOf(pod)
        .filter((reference) => reference.kind === kind)
        .map(({ name }) => name)
        .toSorted();
    expect([named('ConfigMap'), named('Secret')]).toEqual([
      ['c1', 'c2'],
      ['s1', 's2', 's3', 's4', 's5'],
    ]);
  });

  it('names the audiences of its tokens', () => {
    const pod: Pod = {
      spec: {
        containers: [],
        volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'vault' } }] } }],
      },
    };
    expect(tokensOfPod(pod)).toEqual([{ audience: 'vault', expiration_s: 3600 }]);
  });

  it("is each object once, in the pod's namespace", () => {
    const volumes = [
      { name: 'a', configMap: { name: 'c' } },
      { name: 'b', configMap: { name: 'c' } },
      { name: 'c', configMap: {} },
    ];
    expect(referencesOf({ metadata: { namespace: 'ns' }, spec: { containers: [], volumes } })).toEqual([
      { kind: 'ConfigMap', namespace: 'ns', name: 'c' },
    ]);
  });

  it('goes on to what an object names in turn, and ends at circles and at what is not there', () => {
    const named =
      (kind: string, at: string) =>
      (object: KubeObject): NamedObject[] => [{ kind, name: object.metadata?.annotations?.[at] }];
    const table: NodeObjectTable = {
      ...NODE_OBJECTS,
      kinds: [
        { resource: secrets, onDisk: false, refersTo: named('PersistentVolume', 'to') },
        { resource: persistentVolumes, onDisk: true, refersTo: named('Secret', 'back') },
      ],
    };
    const objects: Record<string, KubeObject> = {
      'Secret/ns/s': { metadata: { namespace: 'ns', name: 's', annotations: { to: 'v' } } },
      'PersistentVolume//v': { metadata: { name: 'v', annotations: { back: 's' } } },
    };
    const from = [{ kind: 'Secret', namespace: 'ns', name: 's' }];
    const reached = reachableFrom(from, (reference) => objects[referenceKey(reference)], table).map(referenceKey);
    // A cluster-scoped object has no namespace to name a Secret in.
    expect(reached).toEqual(['Secret/ns/s', 'PersistentVolume//v', 'Secret//s']);
  });

  it('names only kinds that the table has: a table that breaks this says so', () => {
    const pod: Pod = { spec: { containers: [], volumes: [{ name: 'a', configMap: { name: 'c' } }] } };
    expect(() => referencesOf(pod, { ...NODE_OBJECTS, kinds: [] })).toThrow(
      'the table of node objects has no such kind',
    );
  });
});

describe('the kind of an object on a session', () => {
  it('goes by name, and for older peers by number where it has one', () => {
    expect([wireKindOf('Secret'), wireKindOf('PersistentVolume')]).toEqual([
      { kind: 3, kindName: 'Secret' },
      { kind: 0, kindName: 'PersistentVolume' },
    ]);
    expect([
      kindOfWire({ kind: 3 }),
      kindOfWire({ kind: 2 }),
      kindOfWire({ kind: 0, kindName: 'PersistentVolume' }),
    ]).toEqual(['Secret', 'ConfigMap', 'PersistentVolume']);
  });

  it.each([0, 1, 9])('that is the number %i is unknown, not a ConfigMap', (kind) => {
    expect(kindOfWire({ kind: kind as ObjectKind })).toBeUndefined();
  });
});
