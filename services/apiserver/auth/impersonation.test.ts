/**
 * Impersonation as kube-apiserver 1.36 has it (issue 6, row 42): headers, refusals, and the constrained modes of
 * KEP-5284.
 */
import { describe, expect, it } from 'vitest';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { AskedAttributes, AuthorizationAttributes } from '../ports.js';
import { impersonatedUser } from './impersonation-headers.js';
import { Impersonation } from './impersonation.js';

type Headers = Record<string, string | string[]>;

describe('the headers of an impersonation', () => {
  it.each<[string, Headers, UserInfo | undefined]>([
    ['none', { accept: '*/*' }, undefined],
    ['an empty name', { 'impersonate-user': '' }, undefined],
    ['an empty uid alone', { 'impersonate-uid': '' }, undefined],
    ['headers that nobody knows', { 'impersonate-foo': 'x' }, undefined],
    [
      'the first of two names',
      { 'impersonate-user': ['a', 'b'], 'impersonate-uid': ['1', '2'] },
      { name: 'a', uid: '1', groups: [] },
    ],
    ['an empty first name', { 'impersonate-user': ['', 'b'] }, undefined],
    [
      'values with commas',
      { 'impersonate-user': 'a, b', 'impersonate-group': ['c,d', 'e, f'], 'impersonate-extra-k': 'g,h' },
      { name: 'a, b', groups: ['c,d', 'e, f'], extra: { k: ['g,h'] } },
    ],
    ['an empty group', { 'impersonate-user': 'a', 'impersonate-group': '' }, { name: 'a', groups: [''] }],
    [
      'encoded keys',
      { 'impersonate-user': 'a', 'impersonate-extra-acme.com%2fproject': 'x', 'impersonate-extra-%41': 'y' },
      { name: 'a', groups: [], extra: { 'acme.com/project': ['x'], A: ['y'] } },
    ],
    [
      'keys that are not encoded properly',
      { 'impersonate-user': 'a', 'impersonate-extra-a%zz': 'x', 'impersonate-extra-b%': 'y' },
      { name: 'a', groups: [], extra: { 'a%zz': ['x'], 'b%': ['y'] } },
    ],
    [
      'two forms of one key',
      { 'impersonate-user': 'a', 'impersonate-extra-k': ['1'], 'impersonate-extra-%6b': ['2'] },
      { name: 'a', groups: [], extra: { k: ['1', '2'] } },
    ],
  ])('%s', (_, headers, user) => expect(impersonatedUser(headers)).toEqual(user));

  it.each<[Headers, string]>([
    [{ 'impersonate-group': '' }, 'UID:"", Groups:[]string{""}, Extra:map[string][]string(nil)'],
    [{ 'impersonate-uid': 'u' }, 'UID:"u", Groups:[]string(nil), Extra:map[string][]string(nil)'],
    [
      { 'impersonate-group': ['g', 'h'], 'impersonate-extra-z': 'c', 'impersonate-extra-a%2fb': 'b' },
      'UID:"", Groups:[]string{"g", "h"}, Extra:map[string][]string{"a/b":[]string{"b"}, "z":[]string{"c"}}',
    ],
  ])('details without a name: %j', (headers, shown) => {
    expect(() => impersonatedUser(headers)).toThrow(
      `requested &user.DefaultInfo{Name:"", ${shown}} without impersonating a user name`,
    );
  });
});

const LIST_PODS: AskedAttributes = {
  kind: 'resource',
  verb: 'list',
  group: '',
  version: 'v1',
  resource: 'pods',
  namespace: 'd',
};
const GROUP = 'authentication.k8s.io';
const agent: UserInfo = {
  name: 'system:serviceaccount:d:agent',
  groups: [],
  extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
};
const jane: UserInfo = { name: 'jane', groups: [] };

/** `verb group/resource[/subresource] [namespace/]name` */
function line(asked: AuthorizationAttributes): string {
  if (asked.kind === 'nonResource') return `${asked.verb} ${asked.path}`;
  const { verb, group, resource, subresource, namespace, name } = asked;
  return [
    verb,
    [group, resource, ...(subresource === undefined ? [] : [subresource])].join('/'),
    [...(namespace === undefined ? [] : [namespace]), ...(name === undefined ? [] : [name])].join('/'),
  ]
    .join(' ')
    .trimEnd();
}

function setUp(rights: readonly string[]) {
  const asked: string[] = [];
  const impersonation = new Impersonation({
    authorize(attributes) {
      asked.push(line(attributes));
      return Promise.resolve({ allowed: rights.includes(line(attributes)), reason: '' });
    },
  });
  const become = (wanted: UserInfo, caller = agent, request: AskedAttributes | undefined = LIST_PODS) =>
    impersonation.become({ caller, wanted, asked: request });
  return { asked, become };
}

describe('constrained impersonation', () => {
  it.each<[string, UserInfo, readonly string[], readonly string[]]>([
    [
      'associated-node',
      { name: 'system:node:n1', groups: [] },
      ['impersonate-on:associated-node:list /pods d', `impersonate:associated-node ${GROUP}/nodes *`],
      ['system:nodes', 'system:authenticated'],
    ],
    [
      'arbitrary-node',
      { name: 'system:node:n2', groups: [] },
      ['impersonate-on:arbitrary-node:list /pods d', `impersonate:arbitrary-node ${GROUP}/nodes n2`],
      ['system:nodes', 'system:authenticated'],
    ],
    [
      'serviceaccount',
      { name: 'system:serviceaccount:x:y', groups: [] },
      ['impersonate-on:serviceaccount:list /pods d', `impersonate:serviceaccount ${GROUP}/serviceaccounts x/y`],
      ['system:serviceaccounts', 'system:serviceaccounts:x', 'system:authenticated'],
    ],
    [
      'user-info',
      { name: 'jane', uid: 'u', groups: ['g'], extra: { 'a.b/c': ['1', '2'] } },
      [
        'impersonate-on:user-info:list /pods d',
        `impersonate:user-info ${GROUP}/users jane`,
        `impersonate:user-info ${GROUP}/uids u`,
        `impersonate:user-info ${GROUP}/groups g`,
        `impersonate:user-info ${GROUP}/userextras/a.b/c 1`,
        `impersonate:user-info ${GROUP}/userextras/a.b/c 2`,
      ],
      ['g', 'system:authenticated'],
    ],
    [
      'user-info, many groups',
      { name: 'jane', groups: ['a', 'b', 'c', 'd'] },
      [
        'impersonate-on:user-info:list /pods d',
        `impersonate:user-info ${GROUP}/users jane`,
        `impersonate:user-info ${GROUP}/groups *`,
      ],
      ['a', 'b', 'c', 'd', 'system:authenticated'],
    ],
    [
      'user-info, nobody',
      { name: 'system:anonymous', groups: [] },
      ['impersonate-on:user-info:list /pods d', `impersonate:user-info ${GROUP}/users system:anonymous`],
      ['system:unauthenticated'],
    ],
  ])('%s takes the right to the request and to the user, and no other', async (_, wanted, rights, groups) => {
    const { asked, become } = setUp(rights);
    expect(await become(wanted)).toEqual({ ...wanted, groups });
    expect(asked).toEqual(rights);
    for (const missing of rights)
      await expect(setUp(rights.filter((right) => right !== missing)).become(wanted), missing).rejects.toMatchObject({
        status: { code: 403 },
      });
    await expect(
      setUp(rights).become(wanted, agent, { kind: 'nonResource', verb: 'get', path: '/x' }),
    ).rejects.toMatchObject({ status: { code: 403 } });
    // Without a request that is known, only the older verb counts.
    await expect(
      new Impersonation({
        authorize: (of) => Promise.resolve({ allowed: rights.includes(line(of)), reason: '' }),
      }).become({ caller: agent, wanted, asked: undefined }),
    ).rejects.toThrow('cannot impersonate resource');
  });

  it.each<[string, UserInfo, string]>([
    [
      'no group',
      { ...jane, groups: ['a', ''] },
      'groups.authentication.k8s.io is forbidden: User "system:serviceaccount:d:agent" cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the empty string group is not allowed',
    ],
    [
      'masters',
      { ...jane, groups: ['system:masters'] },
      'groups.authentication.k8s.io "system:masters" is forbidden: User "system:serviceaccount:d:agent" cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the system:masters group is not allowed',
    ],
    [
      'a key without a domain',
      { ...jane, extra: { scopes: ['x'] } },
      'at the cluster scope: impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "scopes": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      'an upper-case key',
      { ...jane, extra: { 'a.b/C': ['x'] } },
      'impersonating a non-lowercase key in extra is not allowed: "a.b/C"',
    ],
    ['an empty key', { ...jane, extra: { '': ['x'] } }, 'impersonating the empty string key in extra is not allowed'],
    [
      'an empty value',
      { ...jane, extra: { 'a.b/c': [''] } },
      'userextras.authentication.k8s.io is forbidden: User "system:serviceaccount:d:agent" cannot impersonate:user-info resource "userextras" in API group "authentication.k8s.io" at the cluster scope: impersonating the empty string value in extra is not allowed',
    ],
  ])('never: %s', async (_, wanted, message) => {
    const { become } = setUp([
      'impersonate-on:user-info:list /pods d',
      `impersonate:user-info ${GROUP}/users jane`,
      `impersonate:user-info ${GROUP}/groups a`,
    ]);
    await expect(become(wanted)).rejects.toThrow(message);
  });

  it('does not take a node for a user who is bound to it by another name, nor with details', async () => {
    const rights = ['impersonate-on:associated-node:list /pods d', `impersonate:associated-node ${GROUP}/nodes *`];
    await expect(
      setUp(rights).become({ name: 'system:node:n1', groups: [] }, { ...agent, name: 'agent' }),
    ).rejects.toThrow('impersonate-on:arbitrary-node');
    await expect(setUp(rights).become({ name: 'system:node:n1', groups: ['system:nodes'] })).rejects.toThrow(
      'cannot impersonate resource "users" in API group ""',
    );
    await expect(setUp(rights).become({ name: 'system:node:N1', groups: [] })).rejects.toThrow(
      'impersonate-on:user-info',
    );
  });
});

describe('impersonation by the older verb', () => {
  it.each<[UserInfo, readonly string[], readonly string[]]>([
    [{ name: 'jane', groups: [] }, ['impersonate /users jane'], ['system:authenticated']],
    [
      { name: 'jane', uid: 'u', groups: ['', 'system:masters'], extra: { S: ['', 'v'] } },
      [
        'impersonate /users jane',
        `impersonate ${GROUP}/uids u`,
        'impersonate /groups',
        'impersonate /groups system:masters',
        `impersonate ${GROUP}/userextras/S`,
        `impersonate ${GROUP}/userextras/S v`,
      ],
      ['', 'system:masters', 'system:authenticated'],
    ],
    [
      { name: 'jane', groups: ['system:unauthenticated'] },
      ['impersonate /users jane', 'impersonate /groups system:unauthenticated'],
      ['system:unauthenticated'],
    ],
    [
      { name: 'system:anonymous', groups: ['g'] },
      ['impersonate /users system:anonymous', 'impersonate /groups g'],
      ['g', 'system:unauthenticated'],
    ],
    [
      { name: 'system:serviceaccount:x:y', groups: ['g'] },
      ['impersonate /serviceaccounts x/y', 'impersonate /groups g'],
      ['g', 'system:authenticated'],
    ],
    [
      { name: 'system:serviceaccount:X:y', groups: [] },
      ['impersonate /users system:serviceaccount:X:y'],
      ['system:authenticated'],
    ],
    [{ name: 'system:node:n1', groups: [] }, ['impersonate /users system:node:n1'], ['system:authenticated']],
  ])('%j', async (wanted, rights, groups) => {
    const { asked, become } = setUp(rights);
    const root: UserInfo = { name: 'root', groups: [] };
    const allowed = await become(wanted, root);
    expect(allowed.groups).toEqual(groups);
    // What worked last is tried first.
    asked.length = 0;
    await become(wanted, root);
    expect(asked.map((one) => (one.endsWith(' ') ? one.trimEnd() : one))).toEqual(rights);
  });

  it('is refused in the words of the mode that was asked first', async () => {
    const { become } = setUp(['impersonate /users joe']);
    await expect(become(jane)).rejects.toThrow(
      'pods is forbidden: User "system:serviceaccount:d:agent" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "d"',
    );
    await expect(become(jane, agent, { kind: 'nonResource', verb: 'get', path: '/a<b' })).rejects.toMatchObject({
      status: {
        code: 403,
        details: {},
        message: 'forbidden: User "system:serviceaccount:d:agent" cannot impersonate-on:user-info:get path "/a&lt;b"',
      },
    });
    await become({ name: 'joe', groups: [] });
    await expect(become(jane)).rejects.toThrow(
      'users "jane" is forbidden: User "system:serviceaccount:d:agent" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
  });
});
