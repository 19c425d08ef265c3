/** Row 40: objects that clients find in a cluster from its start, as kube-apiserver 1.36 has them. */
import { expect, it } from 'vitest';
import { apiServices, flowSchemas, priorityLevelConfigurations } from '../../../apimachinery/gen/resources.js';
import type { APIService, FlowSchema, PriorityLevelConfiguration } from '../../../apimachinery/gen/types.js';
import { builtInScheme } from '../../../apimachinery/scheme/builtin.js';
import { VirtualClock } from '../../../platform/clock.js';
import { startRegistry } from '../../apiserver/registry/testing.js';
import { ensureApiServices } from './api-services.js';
import { ensureFlowPolicy } from './flow-policy.js';

it('each group and version has an APIService that is available', async () => {
  await using test = await startRegistry({});
  const { service } = test;
  for (let start = 0; start < 2; start++) await ensureApiServices(service, builtInScheme().kinds(), new VirtualClock());
  const items = (await service.list({ resource: apiServices })).items.map(({ object }) => object as APIService);
  expect(items.map(({ metadata }) => metadata?.name)).toEqual([
    'v1.',
    'v1.admissionregistration.k8s.io',
    'v1.apiextensions.k8s.io',
    'v1.apps',
    'v1.authentication.k8s.io',
    'v1.authorization.k8s.io',
    'v1.autoscaling',
    'v1.batch',
    'v1.certificates.k8s.io',
    'v1.coordination.k8s.io',
    'v1.discovery.k8s.io',
    'v1.events.k8s.io',
    'v1.flowcontrol.apiserver.k8s.io',
    'v1.networking.k8s.io',
    'v1.node.k8s.io',
    'v1.policy',
    'v1.rbac.authorization.k8s.io',
    'v1.resource.k8s.io',
    'v1.scheduling.k8s.io',
    'v1.storage.k8s.io',
    'v2.autoscaling',
  ]);
  for (const { status } of items)
    expect(status).toMatchObject({ conditions: [{ type: 'Available', status: 'True', reason: 'Local' }] });
  expect(items.find(({ metadata }) => metadata?.name === 'v2.autoscaling')?.spec).toEqual({
    group: 'autoscaling',
    version: 'v2',
    groupPriorityMinimum: 17_500,
    versionPriority: 30,
  });
  expect(items[0]?.spec).toEqual({ version: 'v1', groupPriorityMinimum: 18_000, versionPriority: 1 });
});

it('the mandatory and the suggested flow schemas and priority levels are there', async () => {
  await using test = await startRegistry({});
  const { service } = test;
  for (let start = 0; start < 2; start++) await ensureFlowPolicy(service, new VirtualClock());
  const levels = (await service.list({ resource: priorityLevelConfigurations })).items.map(
    ({ object }) => object as PriorityLevelConfiguration,
  );
  const row = ({ metadata, spec }: PriorityLevelConfiguration) => {
    const { nominalConcurrencyShares, lendablePercent, limitResponse } = spec?.limited ?? {};
    return [
      metadata?.name,
      spec?.type,
      nominalConcurrencyShares,
      lendablePercent,
      limitResponse?.queuing?.queues,
      limitResponse?.queuing?.handSize,
    ];
  };
  expect(levels.map(row)).toEqual([
    ['catch-all', 'Limited', 5, 0, undefined, undefined],
    ['exempt', 'Exempt', undefined, undefined, undefined, undefined],
    ['global-default', 'Limited', 20, 50, 128, 6],
    ['leader-election', 'Limited', 10, 0, 16, 4],
    ['node-high', 'Limited', 40, 25, 64, 6],
    ['system', 'Limited', 30, 33, 64, 6],
    ['workload-high', 'Limited', 40, 50, 128, 6],
    ['workload-low', 'Limited', 100, 90, 128, 6],
  ]);
  const flows = (await service.list({ resource: flowSchemas })).items.map(({ object }) => object as FlowSchema);
  expect(
    flows.map(({ metadata, spec }) => [
      metadata?.name,
      spec?.priorityLevelConfiguration?.name,
      spec?.matchingPrecedence,
      spec?.distinguisherMethod?.type,
    ]),
  ).toEqual([
    ['catch-all', 'catch-all', 10_000, 'ByUser'],
    ['exempt', 'exempt', 1, undefined],
    ['global-default', 'global-default', 9900, 'ByUser'],
    ['kube-controller-manager', 'workload-high', 800, 'ByNamespace'],
    ['kube-scheduler', 'workload-high', 800, 'ByNamespace'],
    ['kube-system-service-accounts', 'workload-high', 900, 'ByNamespace'],
    ['probes', 'exempt', 2, undefined],
    ['service-accounts', 'workload-low', 9000, 'ByUser'],
    ['system-leader-election', 'leader-election', 100, 'ByUser'],
    ['system-node-high', 'node-high', 400, 'ByUser'],
    ['system-nodes', 'system', 500, 'ByUser'],
  ]);
  const known = new Set(levels.map(({ metadata }) => metadata?.name));
  for (const { spec, status } of flows) {
    expect(known).toContain(spec?.priorityLevelConfiguration?.name);
    expect(status).toMatchObject({ conditions: [{ type: 'Dangling', status: 'False', reason: 'Found' }] });
  }
});
