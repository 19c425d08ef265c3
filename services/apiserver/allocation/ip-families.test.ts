import { describe, expect, it } from 'vitest';
import type { Service, ServiceSpec } from '../../../apimachinery/gen/types.js';
import { completeStoredService, familyErrors, fillFamilies } from './ip-families.js';

const ports = [{ port: 80 }];
const headless = { clusterIP: 'None', ports };
const selector = { app: 'x' };

describe('the families of a Service on a cluster of IPv4 (KEP-563)', () => {
  it.each<[string, ServiceSpec, string[] | undefined, string | undefined]>([
    ['by default', { ports }, ['IPv4'], 'SingleStack'],
    ['that prefers two', { ports, ipFamilyPolicy: 'PreferDualStack' }, ['IPv4'], 'PreferDualStack'],
    ['named', { ports, ipFamilies: ['IPv4'] }, ['IPv4'], 'SingleStack'],
    ['without an address, with a selector', { ...headless, selector }, ['IPv4'], 'SingleStack'],
    ['without address and selector', headless, ['IPv4', 'IPv6'], 'RequireDualStack'],
    [
      'without address and selector, IPv6 first',
      { ...headless, ipFamilies: ['IPv6'] },
      ['IPv6', 'IPv4'],
      'RequireDualStack',
    ],
    [
      'without address and selector, of one',
      { ...headless, ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' },
      ['IPv6'],
      'SingleStack',
    ],
    ['of another name', { type: 'ExternalName', externalName: 'x.y' }, undefined, undefined],
  ])('%s', (_, spec, families, policy) => {
    expect(familyErrors({ spec })).toEqual([]);
    const filled = { ...spec };
    fillFamilies(filled);
    expect([filled.ipFamilies, filled.ipFamilyPolicy]).toEqual([families, policy]);
  });

  it.each<[string, ServiceSpec, string, string]>([
    [
      'two are required',
      { ports, ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy',
      'this cluster is not configured for dual-stack services',
    ],
    [
      'two are required of a Service without address',
      { ...headless, selector, ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy',
      'this cluster is not configured for dual-stack services',
    ],
    [
      'IPv6 is asked for',
      { ports, ipFamilies: ['IPv6'] },
      'spec.ipFamilies[0]',
      'Invalid value: "IPv6": not configured on this cluster',
    ],
    [
      'IPv6 is asked for first',
      { ports, ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'PreferDualStack' },
      'spec.ipFamilies[0]',
      'not configured on this cluster',
    ],
    [
      'one is wanted and two are named',
      { ports, ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'SingleStack' },
      'spec.ipFamilyPolicy',
      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    ],
    [
      'the address is of IPv6',
      { ports, clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] },
      'spec.clusterIPs[0]',
      'IPv6 is not configured on this cluster',
    ],
    [
      'one is wanted and two addresses are named',
      { ports, clusterIPs: ['10.96.0.9', 'fd00::1'], ipFamilyPolicy: 'SingleStack' },
      'spec.ipFamilyPolicy',
      "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
    ],
  ])('are refused when %s', (_, spec, field, detail) => {
    expect(familyErrors({ spec })).toMatchObject([{ field, detail: expect.stringContaining(detail) as string }]);
  });

  it('are filled in when an object of an older version is read, and nothing else is touched', () => {
    const old: Service = { metadata: { name: 's' }, spec: { clusterIP: '10.96.0.9', ports } };
    expect([completeStoredService(old), old.spec]).toEqual([
      true,
      { clusterIP: '10.96.0.9', ports, ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
    ]);
    expect([completeStoredService(old), completeStoredService({ spec: { type: 'ExternalName' } } as Service)]).toEqual([
      false,
      false,
    ]);
  });
});
