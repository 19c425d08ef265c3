/**
 * The priority levels and flow schemas that a cluster has from its start, by Kubernetes' figures (KEP-1040). They are
 * objects to read and to change; the server's own flow control does not act on them yet.
 */
import { flowSchemas, priorityLevelConfigurations } from '../../../apimachinery/gen/resources.js';
import type { FlowSchema, PriorityLevelConfiguration } from '../../../apimachinery/gen/types.js';
import type { ObjectService } from '../../../apimachinery/object-service.js';
import { toTime, type Clock } from '../../../platform/clock.js';
import { createUnlessThere } from './create-unless-there.js';
import { createWithStatus } from './create-with-status.js';

/** Without it, an administrator's changes to the spec would be kept. */
const ANNOTATIONS = { 'apf.kubernetes.io/autoupdate-spec': 'true' };

type LevelSpec = NonNullable<PriorityLevelConfiguration['spec']>;
type Rules = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];
type Subject = NonNullable<Rules['subjects']>[number];

interface Queues {
  readonly queues: number;
  readonly handSize: number;
}

/** Shares of the server's concurrency, the part of them that others may borrow, and how requests wait. */
function limited(nominalConcurrencyShares: number, lendablePercent: number, queuing?: Queues): LevelSpec {
  const limitResponse =
    queuing === undefined ? { type: 'Reject' } : { type: 'Queue', queuing: { ...queuing, queueLengthLimit: 50 } };
  return { type: 'Limited', limited: { nominalConcurrencyShares, lendablePercent, limitResponse } };
}

const MANY = { queues: 128, handSize: 6 };
const SOME = { queues: 64, handSize: 6 };

const LEVELS: Readonly<Record<string, LevelSpec>> = {
  exempt: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  'catch-all': limited(5, 0),
  system: limited(30, 33, SOME),
  'node-high': limited(40, 25, SOME),
  'leader-election': limited(10, 0, { queues: 16, handSize: 4 }),
  'workload-high': limited(40, 50, MANY),
  'workload-low': limited(100, 90, MANY),
  'global-default': limited(20, 50, MANY),
};

const user = (name: string): Subject => ({ kind: 'User', user: { name } });
const group = (name: string): Subject => ({ kind: 'Group', group: { name } });
const accountsOf = (namespace: string): Subject => ({
  kind: 'ServiceAccount',
  serviceAccount: { name: '*', namespace },
});

const EVERYBODY = [group('system:unauthenticated'), group('system:authenticated')];
const EVERYTHING: Rules = {
  subjects: [],
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const leases = (verbs: string[]) => ({
  verbs,
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
  namespaces: ['*'],
});

interface Flow {
  readonly level: string;
  readonly precedence: number;
  readonly by?: 'ByUser' | 'ByNamespace';
  readonly subjects: Subject[];
  /** Everything when absent. */
  readonly rules?: Omit<Rules, 'subjects'>;
}

const FLOWS: Readonly<Record<string, Flow>> = {
  exempt: { level: 'exempt', precedence: 1, subjects: [group('system:masters')] },
  probes: {
    level: 'exempt',
    precedence: 2,
    subjects: EVERYBODY,
    rules: { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] },
  },
  'system-leader-election': {
    level: 'leader-election',
    precedence: 100,
    by: 'ByUser',
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), accountsOf('kube-system')],
    rules: { resourceRules: [leases(['get', 'create', 'update'])] },
  },
  'system-node-high': {
    level: 'node-high',
    precedence: 400,
    by: 'ByUser',
    subjects: [group('system:nodes')],
    rules: {
      resourceRules: [
        { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], namespaces: ['*'], clusterScope: true },
        leases(['*']),
      ],
    },
  },
  'system-nodes': { level: 'system', precedence: 500, by: 'ByUser', subjects: [group('system:nodes')] },
  'kube-controller-manager': {
    level: 'workload-high',
    precedence: 800,
    by: 'ByNamespace',
    subjects: [user('system:kube-controller-manager')],
  },
  'kube-scheduler': {
    level: 'workload-high',
    precedence: 800,
    by: 'ByNamespace',
    subjects: [user('system:kube-scheduler')],
  },
  'kube-system-service-accounts': {
    level: 'workload-high',
    precedence: 900,
    by: 'ByNamespace',
    subjects: [accountsOf('kube-system')],
  },
  'service-accounts': {
    level: 'workload-low',
    precedence: 9000,
    by: 'ByUser',
    subjects: [group('system:serviceaccounts')],
  },
  'global-default': { level: 'global-default', precedence: 9900, by: 'ByUser', subjects: EVERYBODY },
  'catch-all': { level: 'catch-all', precedence: 10_000, by: 'ByUser', subjects: EVERYBODY },
};

function flowSchema(name: string, { level, precedence, by, subjects, rules }: Flow, clock: Clock): FlowSchema {
  return {
    metadata: { name, annotations: ANNOTATIONS },
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence: precedence,
      ...(by === undefined ? {} : { distinguisherMethod: { type: by } }),
      rules: [{ ...(rules ?? EVERYTHING), subjects }],
    },
    status: {
      conditions: [
        {
          type: 'Dangling',
          status: 'False',
          reason: 'Found',
          lastTransitionTime: toTime(clock.now()),
          message: `This FlowSchema references the PriorityLevelConfiguration object named "${level}" and it exists`,
        },
      ],
    },
  };
}

/** Safe on every member at once and on every start: what is there stays as it is. */
export async function ensureFlowPolicy(service: ObjectService, clock: Clock): Promise<void> {
  // Together: they share the store's batches.
  await Promise.all(
    Object.entries(LEVELS).map(([name, spec]) =>
      createUnlessThere<PriorityLevelConfiguration>(service, priorityLevelConfigurations, {
        metadata: { name, annotations: ANNOTATIONS },
        spec,
      }),
    ),
  );
  await Promise.all(
    Object.entries(FLOWS).map(([name, flow]) => createWithStatus(service, flowSchemas, flowSchema(name, flow, clock))),
  );
}
