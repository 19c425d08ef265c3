/** k8s.io/endpointslice, reconcileByPortMapping: few slices change, and none holds too many. */
import { describe, expect, it } from 'vitest';
import type { Endpoint, EndpointSlice } from '../../../apimachinery/gen/types.js';
import { ENDPOINTS_PER_SLICE_MAX } from './endpoints.js';
import { planSlices } from './slices.js';

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const endpoint = (id: number): Endpoint => ({ addresses: [`10.0.0.${id}`], targetRef: { kind: 'Pod', uid: `${id}` } });
const group = (port: number, ids: readonly number[]) => ({ ports: [{ port }], endpoints: ids.map(endpoint) });
const slice = (name: string, port: number, ids: readonly number[]): EndpointSlice => ({
  metadata: { name },
  addressType: 'IPv4',
  ports: [{ port }],
  endpoints: ids.map(endpoint),
});

interface Case {
  readonly name: string;
  readonly existing: readonly EndpointSlice[];
  readonly groups: ReturnType<typeof group>[];
  /** Name of the slice (new when there is none), port, endpoints. */
  readonly write: readonly [string, number, number[]][];
  readonly remove?: readonly string[];
}

const MAX = ENDPOINTS_PER_SLICE_MAX;

describe('slices', () => {
  it.each<Case>([
    { name: 'are made for new endpoints', existing: [], groups: [group(80, [1, 2])], write: [['new', 80, [1, 2]]] },
    { name: 'are made for no endpoints, too', existing: [], groups: [group(80, [])], write: [['new', 80, []]] },
    {
      name: 'keep their endpoints, and those with room take new ones',
      existing: [slice('a', 80, range(0, MAX)), slice('b', 80, [200])],
      groups: [group(80, [...range(1, MAX), 200, 300, 301])],
      write: [
        ['a', 80, [...range(1, MAX), 300]],
        ['b', 80, [200, 301]],
      ],
    },
    {
      name: 'are added when all are full',
      existing: [slice('a', 80, range(0, MAX))],
      groups: [group(80, range(0, MAX + 1))],
      write: [
        ['a', 80, range(0, MAX)],
        ['new', 80, [MAX]],
      ],
    },
    {
      name: 'that have become empty go, but the first of a port',
      existing: [slice('a', 80, [1]), slice('b', 80, [2])],
      groups: [group(80, [])],
      write: [['a', 80, []]],
      remove: ['b'],
    },
    {
      name: 'of ports that no pod has any more are filled anew',
      existing: [slice('a', 80, [1, 2])],
      groups: [group(8080, [1, 2])],
      write: [['a', 8080, [1, 2]]],
    },
    {
      name: 'of one port for each group; what is left over goes',
      existing: [slice('a', 80, [1]), slice('b', 81, [2]), slice('c', 82, [3])],
      groups: [group(81, [2]), group(90, [4])],
      write: [
        ['b', 81, [2]],
        ['a', 90, [4]],
      ],
      remove: ['c'],
    },
  ])('$name', ({ existing, groups, write, remove = [] }) => {
    const plan = planSlices(existing, groups);
    const found = plan.write.map((one) => [
      one.slice?.metadata?.name ?? 'new',
      one.ports[0]?.port,
      one.endpoints.map(({ targetRef }) => Number(targetRef?.uid)),
    ]);
    expect(found).toEqual(write);
    expect(plan.remove.map(({ metadata }) => metadata?.name)).toEqual(remove);
  });
});
