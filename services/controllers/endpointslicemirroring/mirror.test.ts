/** k8s.io/kubernetes/pkg/controller/endpointslicemirroring, reconcile: which slice holds which group. */
import { describe, expect, it } from 'vitest';
import type { EndpointSlice } from '../../../apimachinery/gen/types.js';
import { planSlices, type AddressType, type MirroredGroup } from './mirror.js';

const slice = (name: string, addressType: AddressType, port: number): EndpointSlice => ({
  metadata: { name },
  addressType,
  ports: [{ port }],
  endpoints: [],
});
const group = (addressType: AddressType, port: number): MirroredGroup => ({
  addressType,
  ports: [{ port }],
  endpoints: [],
});

describe('a group of mirrored addresses', () => {
  it.each<[string, EndpointSlice[], MirroredGroup[], [number, string][], string[]]>([
    [
      'has a slice of its own',
      [],
      [group('IPv4', 80), group('IPv6', 80)],
      [
        [80, 'new'],
        [80, 'new'],
      ],
      [],
    ],
    [
      'keeps the slice with its ports',
      [slice('a', 'IPv4', 81), slice('b', 'IPv4', 80)],
      [group('IPv4', 80)],
      [[80, 'b']],
      ['a'],
    ],
    ['takes over one whose ports are wanted no more', [slice('a', 'IPv4', 81)], [group('IPv4', 80)], [[80, 'a']], []],
    [
      'takes none that another group keeps',
      [slice('a', 'IPv4', 80)],
      [group('IPv4', 90), group('IPv4', 80)],
      [
        [90, 'new'],
        [80, 'a'],
      ],
      [],
    ],
    ['takes none of another type', [slice('a', 'IPv6', 80)], [group('IPv4', 80)], [[80, 'new']], ['a']],
  ])('%s', (_, ...[existing, groups, write, remove]) => {
    const plan = planSlices(existing, groups);
    const found = plan.write.map((one) => [one.group.ports[0]?.port, one.slice?.metadata?.name ?? 'new']);
    expect([found, plan.remove.map(({ metadata }) => metadata?.name)]).toEqual([write, remove]);
  });
});
