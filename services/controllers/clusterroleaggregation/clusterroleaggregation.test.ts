import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clusterRoles } from '../../../apimachinery/gen/resources.js';
import type { ClusterRole } from '../../../apimachinery/gen/types.js';
import { createTestContext } from '../testing.js';
import { createClusterRoleAggregationController } from './clusterroleaggregation.js';

let t: ReturnType<typeof createTestContext>;
beforeEach(async () => {
  t = createTestContext();
  await t.start(createClusterRoleAggregationController(t.context));
});
afterEach(() => t.stop());

const rule = (resource: string) => ({ verbs: ['get'], apiGroups: ['example.org'], resources: [resource] });
const label = (to: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${to}`]: 'true' });
const make = (name: string, role: Partial<ClusterRole>, labels: Record<string, string> = {}) =>
  t.client.create(clusterRoles, { ...role, metadata: { name, labels } } as ClusterRole);
const aggregate = (...to: string[]) => ({
  aggregationRule: { clusterRoleSelectors: to.map((one) => ({ matchLabels: label(one) })) },
  rules: [],
});
const resources = async (name: string) =>
  (await t.client.get(clusterRoles, { name })).rules?.flatMap((one) => one.resources ?? []);

describe('an aggregated role', () => {
  it('has the rules of those that are labelled for it, each once, as they come, change and go', async () => {
    await make('view', aggregate('view'), label('edit'));
    await make('edit', aggregate('edit'));
    await make('b-chart', { rules: [rule('things'), rule('shared')] }, label('view'));
    await make('a-chart', { rules: [rule('shared')] }, label('view'));
    await make('elsewhere', { rules: [rule('secrets')] });
    await t.settle();
    expect([await resources('view'), await resources('edit')]).toEqual([
      ['shared', 'things'],
      ['shared', 'things'],
    ]);
    await t.client.patch(
      clusterRoles,
      { name: 'b-chart' },
      { type: 'merge', body: { metadata: { labels: { 'rbac.authorization.k8s.io/aggregate-to-view': null } } } },
    );
    await t.settle();
    expect([await resources('view'), await resources('edit')]).toEqual([['shared'], ['shared']]);
    await t.client.delete(clusterRoles, { name: 'a-chart' });
    await t.settle();
    expect([await resources('view'), await resources('edit')]).toEqual([[], []]);
  });

  it('does not keep what somebody wrote into it, and is not its own part', async () => {
    await make('self', { ...aggregate('self'), rules: [rule('own')] }, label('self'));
    await make('part', { rules: [rule('things')] }, label('self'));
    await t.settle();
    expect(await resources('self')).toEqual(['things']);
    const writes = t.service.calls.filter(({ verb }) => verb === 'update').length;
    await t.settle(10_000);
    expect(t.service.calls.filter(({ verb }) => verb === 'update')).toHaveLength(writes);
  });

  it('gathers by several selectors in their order', async () => {
    await make('two', aggregate('y', 'x'));
    await make('a', { rules: [rule('of-x')] }, label('x'));
    await make('b', { rules: [rule('of-y')] }, label('y'));
    await t.settle();
    expect(await resources('two')).toEqual(['of-y', 'of-x']);
  });
});
