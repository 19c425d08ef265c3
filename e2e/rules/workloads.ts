/** What controllers and the scheduler do with pods, and what may be said about them. */
import { expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { until } from '../lib/until.js';
import {
  accepted,
  deployment,
  inGroup,
  namespace,
  patch,
  pod,
  post,
  refused,
  JSON_PATCH,
  MERGE,
  type Json,
  type Place,
} from './place.js';

interface Endpoints {
  readonly items: readonly {
    readonly endpoints?: readonly { readonly targetRef?: { readonly name: string }; readonly conditions: Json }[];
  }[];
}
interface PodObject {
  readonly metadata: Json;
  readonly spec: { readonly nodeName?: string; readonly tolerations?: readonly Json[] };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
}

const HOST = 'kubernetes.io/hostname';
const onW1 = { nodeSelector: { [HOST]: 'w1' } };
const port = (hostPort: number, more: Json = {}) => ({
  containers: [{ name: 'main', image: 'web:1', ports: [{ containerPort: 1, hostPort, ...more }] }],
});
const apart = (term: Json) => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: HOST, ...term }] } },
});
const nodeTerm = (term: Json) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } },
});
const own = apart({ labelSelector: { matchLabels: { app: 'apart' } } });
const NOWHERE = 'nowhere';

/** In this order, each after the one before is judged: name -> where it must go, its spec, its app. */
const PLACED: readonly (readonly [name: string, where: RegExp, spec: Json, app?: string])[] = [
  ['loopback', /^w1$/, { ...onW1, ...port(5556, { hostIP: '127.0.0.1' }) }],
  ['all-addresses', /^nowhere$/, { ...onW1, ...port(5556) }],
  ['other-address', /^w1$/, { ...onW1, ...port(5556, { hostIP: '127.0.0.2' }) }],
  ['other-protocol', /^w1$/, { ...onW1, ...port(5556, { protocol: 'UDP' }) }],
  ['apart-1', /^w[12]$/, own, 'apart'],
  ['apart-2', /^w[12]$/, own, 'apart'],
  ['kept-away', /^nowhere$/, {}, 'apart'],
  ['from-nobody', /^w[12]$/, apart({})],
  ['from-everybody', /^nowhere$/, apart({ labelSelector: {} })],
  ['empty-term', /^nowhere$/, nodeTerm({})],
  [
    'term-of-absence',
    /^w[12]$/,
    nodeTerm({ matchExpressions: [{ key: 'rules.example/none', operator: 'DoesNotExist' }] }),
  ],
];

const podIn = async ({ rest }: Place, home: string, name: string) =>
  accepted(await rest.get(`${home}/pods/${name}`)) as unknown as PodObject;

export function workloadRules(place: () => Place): void {
  const podAt = (home: string, name: string) => podIn(place(), home, name);

  it('selectors of affinity: an absent one matches nothing, an empty one everything; host ports meet by address and protocol', async () => {
    const home = await namespace(place(), 'placed');
    const where: Record<string, string> = {};
    for (const [name, , spec, app = 'other'] of PLACED) {
      accepted(await post(place(), `${home}/pods`, pod(name, spec, { app })));
      where[name] = await until(`${name} to be judged`, async () => {
        const {
          spec: { nodeName },
          status,
        } = await podAt(home, name);
        return (
          nodeName ??
          (status.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable') === true
            ? NOWHERE
            : undefined)
        );
      });
    }
    for (const [name, expected] of PLACED)
      expect(where, name).toMatchObject({ [name]: expect.stringMatching(expected) as unknown });
    expect(where['apart-1']).not.toBe(where['apart-2']);
  });

  it('publishNotReadyAddresses makes an endpoint ready; serving stays what the pod says of itself', async () => {
    const home = await namespace(place(), 'serving');
    accepted(await post(place(), `${home}/pods`, pod('well', {}, { e: 'p' })));
    accepted(
      await post(
        place(),
        `${home}/pods`,
        pod('unready', { readinessGates: [{ conditionType: 'rules.example/never' }] }, { e: 'p' }),
      ),
    );
    for (const [name, publishNotReadyAddresses] of [
      ['published', true],
      ['plain', false],
    ] as const) {
      accepted(
        await post(place(), `${home}/services`, {
          metadata: { name },
          spec: { publishNotReadyAddresses, selector: { e: 'p' }, ports: [{ port: 80 }] },
        }),
      );
    }
    const conditions = async (service: string) => {
      const slices = accepted(
        await place().rest.get(
          `${inGroup(home, 'discovery.k8s.io/v1')}/endpointslices?labelSelector=kubernetes.io/service-name=${service}`,
        ),
      ) as unknown as Endpoints;
      return Object.fromEntries(
        slices.items.flatMap(({ endpoints = [] }) =>
          endpoints.map(({ targetRef, conditions: said }) => [targetRef?.name ?? '', said]),
        ),
      );
    };
    for (const [service, ready] of [
      ['published', true],
      ['plain', false],
    ] as const) {
      const expected = {
        well: { ready: true, serving: true, terminating: false },
        unready: { ready, serving: false, terminating: false },
      };
      await until(
        `the endpoints of ${service}`,
        async () => JSON.stringify(await conditions(service), sorted) === JSON.stringify(expected, sorted),
        { show: async () => JSON.stringify(await conditions(service)) },
      );
    }
  });

  it('rollouts at their edges: refused bounds, a percentage of one pod, the history that is kept', async () => {
    const home = await namespace(place(), 'edges');
    const { kubectl } = place();
    const deployments = `${inGroup(home, 'apps/v1')}/deployments`;
    const strategy = (maxSurge: unknown, maxUnavailable: unknown) => ({
      strategy: { rollingUpdate: { maxSurge, maxUnavailable } },
    });
    refused(await post(place(), deployments, deployment('zero', strategy(0, 0))), 422, /may not be 0/);
    refused(await post(place(), deployments, deployment('zero', strategy('0%', '0%'))), 422, /may not be 0/);
    for (const minReadySeconds of [5, 9])
      refused(
        await post(place(), deployments, deployment('deadline', { progressDeadlineSeconds: 5, minReadySeconds })),
        422,
        /must be greater than minReadySeconds/,
      );
    for (const [name, revisionHistoryLimit] of [
      ['none', 0],
      ['one', 1],
    ] as const) {
      accepted(
        await post(
          place(),
          deployments,
          deployment(
            name,
            { replicas: 1, revisionHistoryLimit, ...strategy(0, '20%') },
            { terminationGracePeriodSeconds: 0 },
          ),
        ),
      );
    }
    const rolledOut = (name: string) =>
      kubectl.ok(['-n', 'edges', 'rollout', 'status', `deployment/${name}`, '--timeout=60s']);
    await Promise.all(
      ['none', 'one'].map(async (name) => {
        await rolledOut(name);
        for (const image of ['web:2', 'web:3']) {
          await kubectl.ok(['-n', 'edges', 'set', 'image', `deployment/${name}`, `main=${image}`]);
          expect(await rolledOut(name)).toContain('successfully rolled out');
        }
      }),
    );
    for (const [name, count] of [
      ['none', 1],
      ['one', 2],
    ] as const) {
      const sets = async () =>
        (await kubectl.ok(['-n', 'edges', 'get', 'replicasets', '-l', `app=${name}`, '-o', 'name'])).trim().split('\n');
      await until(`${count} ReplicaSets of ${name}`, async () => (await sets()).length === count, {
        show: async () => (await sets()).join(' '),
      });
    }
  });

  it('tolerations may be added to a pod, not taken away; the two default ones come back by themselves', async () => {
    const home = await namespace(place(), 'tolerations');
    accepted(await post(place(), `${home}/pods`, pod('p', { schedulerName: 'none' })));
    const {
      spec: { tolerations: given = [] },
    } = await podAt(home, 'p');
    expect(given.map(({ key }) => key)).toEqual(['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']);
    const added = { key: 'q', operator: 'Exists' };
    // Its order is the server's: what was sent, then what was put back.
    expect(accepted(await patch(place(), `${home}/pods/p`, MERGE, { spec: { tolerations: [added] } }))).toMatchObject({
      spec: { tolerations: [added, ...given] },
    });
    const another = { key: 'r', operator: 'Exists', effect: 'NoSchedule' };
    expect(
      accepted(
        await patch(place(), `${home}/pods/p`, JSON_PATCH, [
          { op: 'add', path: '/spec/tolerations/-', value: another },
        ]),
      ),
    ).toMatchObject({ spec: { tolerations: [added, ...given, another] } });
    refused(
      await patch(place(), `${home}/pods/p`, JSON_PATCH, [{ op: 'remove', path: '/spec/tolerations/0' }]),
      422,
      /existing toleration/,
    );
  });
}

/** Objects compare whatever the order of their fields. */
const sorted = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Taints a node, so that no other scenario may run beside it. */
export function evictionRules(place: () => Place): void {
  it('a NoExecute taint set by hand evicts: at once, after the shortest time that is tolerated, or never', async () => {
    const home = await namespace(place(), 'evicted');
    const { kubectl } = place();
    const [first, second] = [
      { key: 'rules-a', operator: 'Exists', effect: 'NoExecute' },
      { key: 'rules-b', operator: 'Exists', effect: 'NoExecute' },
    ];
    const pods: Readonly<Record<string, readonly Json[]>> = {
      none: [],
      three: [{ ...first, tolerationSeconds: 3 }, second],
      shortest: [
        { ...first, tolerationSeconds: 3600 },
        { ...second, tolerationSeconds: 3 },
      ],
      forever: [first, second],
    };
    // Held by a finalizer they show when they were deleted.
    const held = ['rules.example/held'];
    for (const [name, tolerations] of Object.entries(pods)) {
      const body = pod(name, { nodeName: 'w2', tolerations });
      accepted(await post(place(), `${home}/pods`, { ...body, metadata: { name, finalizers: held } }));
    }
    const tainted_ms = systemClock.now();
    await kubectl.ok(['taint', 'node', 'w2', 'rules-a=v:NoExecute', 'rules-b=v:NoExecute']);
    try {
      const deleted = async (name: string) =>
        Date.parse(String((await podIn(place(), home, name)).metadata['deletionTimestamp']));
      const evicted = (name: string) =>
        until(`${name} to be evicted`, async () => (Number.isNaN(await deleted(name)) ? undefined : deleted(name)));
      const [none, ...later] = await Promise.all(['none', 'three', 'shortest'].map(evicted));
      // The server's times are cut to whole seconds.
      expect(none).toBeGreaterThanOrEqual(tainted_ms - 1000);
      for (const time of later) expect(time - tainted_ms).toBeGreaterThanOrEqual(3000 - 1000);
      expect(await deleted('forever')).toBeNaN();
    } finally {
      await kubectl.ok(['taint', 'node', 'w2', 'rules-a-', 'rules-b-']);
      for (const name of Object.keys(pods))
        await patch(place(), `${home}/pods/${name}`, MERGE, { metadata: { finalizers: null } });
    }
  });
}
