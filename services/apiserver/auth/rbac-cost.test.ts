/**
 * Issue 6, row 1: roles as large as a body may be, and as many bindings of them as there are, hold nobody up; and the
 * short ways decide as the long one.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KubeObject } from '../../../apimachinery/object.js';
import { costOf } from '../../../platform/testing-work.js';
import { MapReader } from '../testing-reader.js';
import { RbacAuthorizer } from './rbac-authorizer.js';
import { covers, coversWork, ruleAllows } from './rbac-rules.js';
import type { PolicyRule, RequestAttributes } from './policy-rule.js';
import { RuleIndex } from './rule-index.js';

const some = (...values: string[]) => fc.uniqueArray(fc.constantFrom(...values), { maxLength: 3 });
const resourceRule: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some('get', 'list', '*'),
  apiGroups: some('', 'apps', '*'),
  resources: some('pods', 'pods/log', '*/log', 'nodes', '*'),
  resourceNames: some('a', 'b'),
});
const pathRule: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: some('get', '*'),
  nonResourceURLs: some('/a', '/a/*', '/a/b', '*'),
});
const rules = fc.array(fc.oneof(resourceRule, pathRule), { maxLength: 5 });
const request: fc.Arbitrary<RequestAttributes> = fc.oneof(
  fc.record({
    kind: fc.constant('resource' as const),
    verb: fc.constantFrom('get', 'list'),
    group: fc.constantFrom('', 'apps'),
    resource: fc.constantFrom('pods', 'nodes'),
    subresource: fc.constantFrom('', 'log'),
    namespace: fc.constant(''),
    name: fc.constantFrom('', 'a', 'b'),
  }),
  fc.record({
    kind: fc.constant('path' as const),
    verb: fc.constant('get'),
    path: fc.constantFrom('/a', '/a/b', '/c'),
  }),
);

/** Each grant of the wanted rule by itself, held against each rule. */
function coversEach(
  held: readonly PolicyRule[],
  { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule,
): boolean {
  const has = (list: readonly string[] | undefined, value: string) =>
    list?.includes('*') === true || list?.includes(value) === true;
  const names = resourceNames.length === 0 ? [''] : resourceNames;
  const isPathHeld = (verb: string, path: string) =>
    held.some(
      (rule) =>
        has(rule.verbs, verb) &&
        (rule.nonResourceURLs ?? []).some(
          (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))),
        ),
    );
  const isHeld = (verb: string, group: string, [resource, name]: readonly [string, string]) =>
    held.some(
      (rule) =>
        has(rule.verbs, verb) &&
        has(rule.apiGroups, group) &&
        (rule.resources ?? []).some(
          (one) =>
            one === '*' ||
            one === resource ||
            (resource.includes('/') && one === `*/${resource.slice(resource.indexOf('/') + 1)}`),
        ) &&
        ((rule.resourceNames ?? []).length === 0 || (name !== '' && rule.resourceNames?.includes(name) === true)),
    );
  return verbs.every(
    (verb) =>
      nonResourceURLs.every((path) => isPathHeld(verb, path)) &&
      apiGroups.every((group) =>
        resources.every((resource) => names.every((name) => isHeld(verb, group, [resource, name]))),
      ),
  );
}

it('covers is what it is grant by grant', () => {
  fc.assert(
    fc.property(rules, fc.oneof(resourceRule, pathRule), (held, wanted) => {
      expect(covers(held, wanted)).toBe(coversEach(held, wanted));
    }),
    { numRuns: 2000 },
  );
});

it('the rules that an index leaves out allow nothing', () => {
  fc.assert(
    fc.property(rules, request, (all, asked) => {
      const found = RuleIndex.of(all).concerning(asked);
      expect(found.some((rule) => ruleAllows(rule, asked))).toBe(all.some((rule) => ruleAllows(rule, asked)));
    }),
    { numRuns: 2000 },
  );
});

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

const wide: PolicyRule = { verbs: names('v', 3000), apiGroups: names('g', 3000), resources: names('r', 3000) };

it.each<[string, readonly PolicyRule[], PolicyRule, number]>([
  ['27 thousand million grants, all held', [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], wide, 20_000_000],
  ['as many, held by a rule of the same', [wide], wide, 20_000_000],
  [
    '9,000 rules among 9,000',
    names('r', 9000).map((name) => ({ verbs: ['get'], apiGroups: [''], resources: [name] })),
    { verbs: ['get'], apiGroups: [''], resources: names('r', 9000) },
    100_000,
  ],
  [
    '9,000 names among 9,000',
    [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: names('n', 9000) }],
    { verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: names('n', 9000) },
    100_000,
  ],
])('%s: few looks, in small slices', (_what, held, wanted, most) => {
  const { total, longest } = costOf(coversWork(held, wanted));
  expect(longest).toBeLessThanOrEqual(10_000);
  expect(total).toBeLessThan(most);
});

it('a role that a thousand bindings grant is looked at once', async () => {
  const reader = new MapReader();
  const rulesOfRole = names('r', 9000).map((name) => ({ verbs: ['get'], apiGroups: [''], resources: [name] }));
  reader.put('clusterroles', { metadata: { name: 'large' }, rules: rulesOfRole } as KubeObject);
  for (const name of names('b', 1000)) {
    reader.put('clusterrolebindings', {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'large' },
      subjects: [{ kind: 'User', name: 'jane' }],
    } as KubeObject);
  }
  const authorizer = new RbacAuthorizer(reader);
  const jane = { name: 'jane', groups: [] };
  expect(authorizer.rulesFor(jane, 'default')).toHaveLength(9000);
  const ask = async (resource: string) =>
    (await authorizer.authorize({ kind: 'resource', user: jane, verb: 'get', group: '', version: 'v1', resource }))
      .allowed;
  expect([await ask('r8999'), await ask('pods')]).toEqual([true, false]);
});

it('when one of many bindings changes, the subjects of the others are not looked at again', async () => {
  const reader = new MapReader();
  let looks = 0;
  const bind = (name: string, subjects: readonly string[], role = 'reader') =>
    reader.put('rolebindings', {
      metadata: { name, namespace: 'a' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      get subjects() {
        looks++;
        return subjects.map((subject) => ({ kind: 'User', name: subject }));
      },
    } as KubeObject);
  const role = (name: string, resource: string) =>
    reader.put('clusterroles', {
      metadata: { name },
      rules: [{ verbs: ['get'], apiGroups: [''], resources: [resource] }],
    } as KubeObject);
  role('reader', 'pods');
  for (const name of names('b', 50)) bind(name, ['jane', name]);
  const authorizer = new RbacAuthorizer(reader);
  const may = async (name: string, resource = 'pods', namespace = 'a') =>
    (
      await authorizer.authorize({
        kind: 'resource',
        user: { name, groups: [] },
        verb: 'get',
        group: '',
        version: 'v1',
        resource,
        namespace,
      })
    ).allowed;
  expect([await may('jane'), await may('b7'), await may('b7', 'pods', 'other'), await may('joe')]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  looks = 0;
  bind('b7', ['joe']);
  expect([await may('b7'), await may('joe'), await may('jane')]).toEqual([false, true, true]);
  expect(looks).toBe(2);
  role('reader', 'nodes');
  expect([await may('jane'), await may('jane', 'nodes'), await may('joe', 'nodes')]).toEqual([false, true, true]);
  reader.remove('rolebindings');
  expect([await may('jane', 'nodes'), await may('joe', 'nodes')]).toEqual([false, false]);
  bind('late', ['jane']);
  bind('again', ['jane']);
  bind('late', ['joe']);
  expect([await may('jane', 'nodes'), await may('joe', 'nodes')]).toEqual([true, true]);
});
