/**
 * What a write to the status subresource is refused for, kind by kind, in the words of kube-apiserver v1.36 (rows 17
 * and 42): each case changes one thing in a good status. The complaints in the data are those that kube-apiserver gave
 * to the same request.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { complaintsOf, kindOf, startRegistry } from './testing.js';

/** Path, what is done, the value, the complaints. */
type Case = readonly [readonly (string | number)[], 'set' | 'del', unknown, readonly string[]];

interface Row {
  readonly object: UnknownObject;
  readonly status: unknown;
  readonly cases: readonly Case[];
}

const rows = JSON.parse(readFileSync(new URL('./testdata/status.json', import.meta.url), 'utf8')) as readonly Row[];

type Node = Record<string | number, unknown>;

function changed(object: UnknownObject, [path, operation, value]: Case): UnknownObject {
  const copy = structuredClone(object);
  const node = path.slice(0, -1).reduce<Node>((at, key) => (at[key] ??= {}) as Node, copy as Node);
  if (operation === 'del') delete node[path.at(-1) ?? ''];
  else node[path.at(-1) ?? ''] = value;
  return copy;
}

/** The registry with one object, and how its status is written. */
async function stored({ object, status }: Row) {
  const started = await startRegistry();
  const kind = kindOf(started.scheme, object);
  const place = { resource: kind, name: object.metadata?.name ?? '', ...(kind.namespaced ? { namespace: 'n' } : {}) };
  const write = async (body: UnknownObject, dryRun: boolean): Promise<KubeObject> =>
    (await started.service.update({ ...place, subresource: 'status', object: body, dryRun })).object;
  const made = await started.service.create({ ...place, object });
  const now = await write({ ...(made.object as UnknownObject), status }, false);
  return {
    write,
    now: { ...(now as UnknownObject), status },
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
}

describe.each(rows.map((row) => [String(row.object.kind), row] as const))('status of %s', (_kind, row) => {
  let registry: Awaited<ReturnType<typeof stored>>;
  beforeAll(async () => {
    registry = await stored(row);
    return () => registry[Symbol.asyncDispose]();
  });

  it('is written when it is good', async () => {
    expect(await complaintsOf(() => registry.write(registry.now, true))).toEqual([]);
  });

  it.each(row.cases.map((one) => [`${one[0].join('.')} ${one[1]} ${JSON.stringify(one[2])}`, one] as const))(
    'is refused: %s',
    async (_title, one) => {
      expect(await complaintsOf(() => registry.write(changed(registry.now, one), true))).toEqual(one[3]);
    },
  );
});

describe('what the server makes of a status', () => {
  it('of a node: the keys that its worker holds the name by stay as they are, other annotations come', async () => {
    const KEYS = 'navarch.dev/worker-keys';
    const object = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a', annotations: { [KEYS]: 'own' } } };
    await using registry = await stored({ object, status: {}, cases: [] });
    for (const keys of [{ [KEYS]: 'foreign' }, { [KEYS]: '' }, {}]) {
      const metadata = { ...(registry.now as KubeObject).metadata, annotations: { ...keys, other: 'x' } };
      expect(
        (await registry.write({ ...registry.now, metadata } as UnknownObject, true)).metadata?.annotations,
      ).toEqual({ [KEYS]: 'own', other: 'x' });
    }
  });

  const pod: UnknownObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  };

  it('podIP is the first of podIPs and wins, and generations of conditions stay', async () => {
    const condition = { type: 'Ready', status: 'True', observedGeneration: 3 };
    await using registry = await stored({
      object: pod,
      status: { podIPs: [{ ip: '10.0.0.1' }], observedGeneration: 2, conditions: [condition] },
      cases: [],
    });
    const { conditions } = (registry.now as unknown as { status: { conditions: unknown } }).status;
    expect(conditions).toEqual([condition]);
    const next = await registry.write(
      {
        ...registry.now,
        status: { podIP: '10.0.0.2', podIPs: [{ ip: '10.0.0.1' }], conditions: [{ type: 'Ready', status: 'False' }] },
      } as UnknownObject,
      true,
    );
    expect((next as unknown as { status: unknown }).status).toMatchObject({
      podIP: '10.0.0.2',
      podIPs: [{ ip: '10.0.0.2' }],
      observedGeneration: 2,
      conditions: [{ status: 'False', observedGeneration: 3 }],
      qosClass: 'BestEffort',
    });
  });

  it('what drivers say of a device goes with its allocation', async () => {
    const object: UnknownObject = {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceClaim',
      metadata: { name: 'c' },
      spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'c' } }] } },
    };
    const device = { driver: 'd.x', pool: 'p', device: 'e' };
    await using registry = await stored({
      object,
      status: { allocation: { devices: { results: [{ request: 'a', ...device }] } }, devices: [device] },
      cases: [],
    });
    const next = await registry.write({ ...registry.now, status: { devices: [device] } } as UnknownObject, true);
    expect((next as unknown as { status: unknown }).status).toEqual({});
  });

  it('a volume remembers when its phase changed', async () => {
    const object: UnknownObject = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'v' },
      spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/a' } },
    };
    await using registry = await stored({
      object,
      status: { phase: 'Available', lastPhaseTransitionTime: '2020-01-01T00:00:00Z' },
      cases: [],
    });
    const statusOf = (one: KubeObject): { lastPhaseTransitionTime?: string } =>
      (one as unknown as { status: { lastPhaseTransitionTime?: string } }).status;
    expect(
      statusOf(await registry.write({ ...registry.now, status: { phase: 'Available' } } as UnknownObject, true))
        .lastPhaseTransitionTime,
    ).toBe('2020-01-01T00:00:00Z');
    expect(
      statusOf(await registry.write({ ...registry.now, status: { phase: 'Bound' } } as UnknownObject, true))
        .lastPhaseTransitionTime,
    ).not.toBe('2020-01-01T00:00:00Z');
  });
});
