import { describe, expect, it } from 'vitest';
import type { UserInfo } from '../../object-service.js';
import { COMPONENT_USERS, ENDPOINT_ACCOUNTS } from '../../well-known.js';
import { validateEndpoints, validateSlice } from './validate-endpoints.js';

const slice = (address: string) => ({ addressType: 'IPv4', ports: [], endpoints: [{ addresses: [address] }] });
const endpoints = (ip: string) => ({ subsets: [{ addresses: [{ ip }], ports: [{ port: 80, protocol: 'TCP' }] }] });
const said = (user: UserInfo, address: string): string[][] => {
  const context = { user, now_ms: 0, uuid: () => '' };
  return [validateSlice(slice(address), context), validateEndpoints(endpoints(address), context)].map((errors) =>
    errors.map(({ field, detail }) => `${field}: ${detail}`),
  );
};

describe('an endpoint on the loopback address', () => {
  const value = 'Invalid value: "127.0.0.1"';
  const refused = 'may not be in the loopback range (127.0.0.0/8, ::1/128)';
  const accounts = ['system:serviceaccounts', 'system:serviceaccounts:kube-system'];
  const account = (name: string, namespace = 'kube-system') => `system:serviceaccount:${namespace}:${name}`;
  it.each<[string, string[]]>([
    ['mallory', []],
    ['root', ['system:masters']],
    [COMPONENT_USERS.apiserver, []],
    [account('default'), accounts],
    [account(ENDPOINT_ACCOUNTS[0], 'default'), ['system:serviceaccounts:default']],
    [account(ENDPOINT_ACCOUNTS[0]), []],
  ])('of %s is refused', (name, groups) => {
    expect(said({ name, groups }, '127.0.0.1')).toEqual([
      [`endpoints[0].addresses[0]: ${value}: ${refused}`],
      [`subsets[0].addresses[0].ip: ${value}: ${refused}`],
    ]);
  });

  it('is taken from members that listen there', () => {
    expect(said({ name: COMPONENT_USERS.apiserver, groups: ['system:masters'] }, '127.0.0.1')).toEqual([[], []]);
    for (const name of ENDPOINT_ACCOUNTS)
      expect(said({ name: account(name), groups: accounts }, '127.0.0.1')).toEqual([[], []]);
  });

  it("others are anybody's", () => expect(said({ name: 'mallory', groups: [] }, '10.0.0.1')).toEqual([[], []]));
});
