/**
 * k8s.io/kubernetes/pkg/controller/deployment: sync, rolling, recreate, scale, cleanupDeployment. From what is there to
 * the steps.
 */
import { describe, expect, it } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { templateHash } from '../lib/workload/pod-template.js';
import { decide, type Step } from './decide.js';
import { DESIRED_REPLICAS, MAX_REPLICAS, REVISION, REVISION_HISTORY } from './revision.js';
import { replicasOf } from './sizes.js';

const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
});

interface Wanted {
  readonly replicas?: number;
  readonly spec?: object;
  /** Of its revision annotation. */
  readonly revision?: number;
  readonly annotations?: Record<string, string>;
  readonly isComplete?: boolean;
  readonly collisionCount?: number;
}

function deployment({
  replicas = 4,
  spec = {},
  revision,
  annotations = {},
  isComplete = false,
  collisionCount,
}: Wanted): Deployment {
  return {
    metadata: {
      name: 'web',
      namespace: 'd',
      uid: 'deployment',
      generation: 2,
      annotations: { ...annotations, ...(revision === undefined ? {} : { [REVISION]: String(revision) }) },
    },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: template('new'),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      ...spec,
    },
    status: {
      ...(isComplete
        ? { replicas, updatedReplicas: replicas, availableReplicas: replicas, observedGeneration: 2 }
        : {}),
      ...(collisionCount === undefined ? {} : { collisionCount }),
    },
  };
}

interface Given {
  readonly image?: string;
  readonly available?: number;
  readonly revision?: number;
  /** The size of the deployment that it was sized for; null: no such annotation. */
  readonly sizedFor?: number | null;
  readonly annotations?: Record<string, string>;
  readonly isObserved?: boolean;
  readonly isGoing?: boolean;
}

/** Sets are named in the order of their creation. */
function set(name: string, replicas: number, given: Given = {}): ReplicaSet {
  const {
    image = name,
    available = replicas,
    revision = 1,
    sizedFor = 4,
    annotations = {},
    isObserved = true,
    isGoing = false,
  } = given;
  const sizes = sizedFor === null ? {} : { [DESIRED_REPLICAS]: String(sizedFor), [MAX_REPLICAS]: String(sizedFor + 1) };
  return {
    metadata: {
      name,
      uid: `uid of ${name}`,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: { ...sizes, [REVISION]: String(revision), ...annotations },
      ...(isGoing ? { deletionTimestamp: '2026-01-02T00:00:00Z' } : {}),
    },
    spec: { replicas, selector: {}, minReadySeconds: 0, template: template(image) },
    status: { replicas, availableReplicas: available, observedGeneration: isObserved ? 1 : 0 },
  };
}

const stepText = (step: Step): string => {
  switch (step.kind) {
    case 'create':
      return `create ${replicasOf(step.set)}`;
    case 'update':
      return `${step.before.metadata?.name ?? ''} ${replicasOf(step.before)} -> ${replicasOf(step.after)}`;
    case 'delete':
      return `delete ${step.set.metadata?.name ?? ''}`;
    case 'revision':
      return `revision ${step.revision}`;
    default:
      return step satisfies never;
  }
};

interface Case {
  readonly name: string;
  readonly wanted: Wanted;
  readonly sets: readonly ReplicaSet[];
  readonly occupied?: readonly string[];
  readonly steps: readonly string[];
}

const check = ({ wanted, sets, occupied = [], steps }: Case) => {
  const found = decide({
    deployment: deployment(wanted),
    sets,
    occupied: new Set(occupied.map((name) => `uid of ${name}`)),
  });
  expect(found.map(stepText)).toEqual(steps);
};

const recreate = { strategy: { type: 'Recreate' } };

describe('a rolling update', () => {
  it.each<Case>([
    {
      name: 'begins with the whole size when there is nothing',
      wanted: {},
      sets: [],
      steps: ['create 4', 'revision 1'],
    },
    {
      name: 'begins within the surge when there are old pods',
      wanted: {},
      sets: [set('a', 4)],
      steps: ['create 1', 'revision 2'],
    },
    {
      name: 'begins empty when old sets use up the surge',
      wanted: {},
      sets: [set('a', 4), set('b', 1, { revision: 2 })],
      steps: ['create 0', 'revision 3'],
    },
    {
      name: 'counts the revision on from the highest',
      wanted: { replicas: 0 },
      sets: [set('a', 0, { revision: 7 }), set('b', 0, { revision: 3 })],
      steps: ['create 0', 'revision 8'],
    },
    {
      name: 'shrinks the old set by what is available above the minimum',
      wanted: { revision: 2 },
      sets: [set('a', 4), set('new', 1, { revision: 2 })],
      steps: ['a 4 -> 2'],
    },
    {
      name: 'takes unhealthy old pods first',
      wanted: { revision: 3 },
      sets: [set('a', 2), set('b', 2, { revision: 2, available: 0 }), set('new', 1, { revision: 3, available: 0 })],
      steps: ['b 2 -> 1'],
    },
    {
      name: 'waits while the new pods are not available',
      wanted: { revision: 2 },
      sets: [set('a', 3), set('new', 2, { revision: 2, available: 0 })],
      steps: [],
    },
    {
      name: 'waits for what a set has not reported yet',
      wanted: { revision: 2 },
      sets: [set('a', 4), set('new', 1, { revision: 2, isObserved: false })],
      steps: [],
    },
    {
      name: 'grows the new set before it shrinks old ones',
      wanted: { revision: 2 },
      sets: [set('a', 2), set('new', 1, { revision: 2 })],
      steps: ['new 1 -> 3'],
    },
    {
      name: 'takes back a new set that is too large',
      wanted: { revision: 2 },
      sets: [set('new', 6, { revision: 2 })],
      steps: ['new 6 -> 4'],
    },
    {
      name: 'does nothing when it is done',
      wanted: { revision: 2, isComplete: true },
      sets: [set('a', 0), set('new', 4, { revision: 2 })],
      steps: [],
    },
  ])('$name', check);

  it('does nothing for a deployment that is terminating', () => {
    const one = deployment({});
    expect(
      decide({
        deployment: { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-01-02T00:00:00Z' } },
        sets: [set('a', 4)],
        occupied: new Set(),
      }),
    ).toEqual([]);
  });
});

describe('an undo', () => {
  const sets = [set('new', 0, { revision: 1, annotations: { [REVISION_HISTORY]: '1' } }), set('b', 4, { revision: 3 })];

  it('makes the old set the newest in one write, with its history, and the deployment follows', () => {
    const steps = decide({
      deployment: deployment({ revision: 3, annotations: { 'kubernetes.io/change-cause': 'undo' } }),
      sets,
      occupied: new Set(),
    });
    expect(steps.map(stepText)).toEqual(['new 0 -> 1', 'revision 4']);
    const [update] = steps;
    expect(update?.kind === 'update' ? update.after.metadata?.annotations : undefined).toEqual({
      [REVISION]: '4',
      [REVISION_HISTORY]: '1,1',
      'kubernetes.io/change-cause': 'undo',
      [DESIRED_REPLICAS]: '4',
      [MAX_REPLICAS]: '5',
    });
  });

  it.each<[string, object]>([
    ['of minReadySeconds waits until the set has counted its pods anew', { minReadySeconds: 30 }],
  ])('a change %s', (_, spec) => {
    const steps = decide({
      deployment: deployment({ revision: 2, spec }),
      sets: [set('a', 4), set('new', 1, { revision: 2 })],
      occupied: new Set(),
    });
    expect(steps.map(stepText)).toEqual(['new 1 -> 1']);
    expect(steps[0]?.kind === 'update' ? steps[0].after.spec?.minReadySeconds : undefined).toBe(30);
  });
});

describe('a recreation', () => {
  it.each<Case>([
    {
      name: 'stops the old pods first',
      wanted: { spec: recreate, revision: 1 },
      sets: [set('a', 3), set('b', 1), set('new', 0)],
      steps: ['a 3 -> 0', 'b 1 -> 0'],
    },
    { name: 'waits for the last of them', wanted: { spec: recreate }, sets: [set('a', 0)], occupied: ['a'], steps: [] },
    {
      name: 'then makes the new set in its whole size',
      wanted: { spec: recreate },
      sets: [set('a', 0)],
      steps: ['create 4', 'revision 2'],
    },
    {
      name: 'or grows the one that is there',
      wanted: { spec: recreate, revision: 1 },
      sets: [set('a', 0), set('new', 0, { revision: 2 })],
      steps: ['new 0 -> 4', 'revision 2'],
    },
  ])('$name', check);
});

describe('a change of size', () => {
  const two = [set('a', 2), set('new', 2, { revision: 2 })];
  it.each<Case>([
    {
      name: 'goes to the only active set, before any step of a rollout',
      wanted: { replicas: 6, revision: 1 },
      sets: [set('a', 4), set('b', 0, { revision: 2 })],
      steps: ['a 4 -> 6'],
    },
    {
      name: 'to zero is no rollout',
      wanted: { replicas: 0, revision: 2 },
      sets: [set('new', 4, { revision: 2 })],
      steps: ['new 4 -> 0'],
    },
    {
      name: 'is spread over the active sets in proportion',
      wanted: { replicas: 8, revision: 2 },
      sets: two,
      steps: ['a 2 -> 4', 'new 2 -> 5'],
    },
    {
      name: 'is noted on a set that fits already',
      wanted: { replicas: 4, revision: 2 },
      sets: [set('new', 4, { revision: 2, sizedFor: 3 })],
      steps: ['new 4 -> 4'],
    },
    {
      name: 'empties old sets when the newest does it all',
      wanted: { replicas: 4, revision: 2 },
      sets: [set('adopted', 2, { sizedFor: 2 }), set('new', 4, { revision: 2 })],
      steps: ['adopted 2 -> 0'],
    },
    {
      name: 'is seen on sets with the annotation of their size, and only there',
      wanted: { replicas: 4, revision: 2 },
      sets: [set('new', 3, { revision: 2, sizedFor: null })],
      steps: ['new 3 -> 4'],
    },
  ])('$name', check);
});

describe('a paused deployment', () => {
  const paused = { paused: true };
  it.each<Case>([
    { name: 'makes no new set', wanted: { spec: paused }, sets: [set('a', 4)], steps: [] },
    { name: 'is scaled', wanted: { spec: paused, replicas: 6 }, sets: [set('a', 4)], steps: ['a 4 -> 6'] },
    {
      name: 'is scaled from zero by the newest of its old sets',
      wanted: { spec: paused, replicas: 2 },
      sets: [set('a', 0), set('b', 0, { revision: 2 })],
      steps: ['b 0 -> 2'],
    },
    {
      name: 'keeps the revision of its newest set',
      wanted: { spec: paused, revision: 2 },
      sets: [set('new', 4, { revision: 1 }), set('b', 0, { revision: 2 })],
      steps: ['new 4 -> 4', 'revision 3'],
    },
    {
      name: 'keeps to its history',
      wanted: { spec: { ...paused, revisionHistoryLimit: 1 } },
      sets: [set('a', 0, { revision: 1 }), set('b', 0, { revision: 2 }), set('c', 4, { revision: 3 })],
      steps: ['delete a'],
    },
    {
      name: 'deletes no set that it is about to use',
      wanted: { spec: { ...paused, revisionHistoryLimit: 0 }, replicas: 2 },
      sets: [set('a', 0)],
      steps: ['a 0 -> 2'],
    },
  ])('$name', check);
});

describe('the history', () => {
  const done = (revisionHistoryLimit?: number): Wanted => ({
    revision: 5,
    isComplete: true,
    ...(revisionHistoryLimit === undefined ? {} : { spec: { revisionHistoryLimit } }),
  });
  const newest = set('new', 4, { revision: 5 });
  const old = (name: string, revision: number, given: Given = {}) => set(name, 0, { revision, ...given });
  it.each<Case>([
    {
      name: 'is trimmed by revision, not by age',
      wanted: done(1),
      sets: [old('a', 3), old('b', 2), old('c', 4), newest],
      steps: ['delete b', 'delete a'],
    },
    { name: 'of limit zero keeps nothing', wanted: done(0), sets: [old('a', 3), newest], steps: ['delete a'] },
    {
      name: 'keeps ten when the spec has no limit',
      wanted: done(),
      sets: [...Array.from({ length: 11 }, (_, i) => old(`s${10 + i}`, i - 20)), newest],
      steps: ['delete s10'],
    },
    {
      name: 'waits for the end of the rollout',
      wanted: { ...done(0), isComplete: false },
      sets: [old('a', 3), newest],
      steps: [],
    },
    {
      name: 'keeps sets that have pods, report old counts or go already',
      wanted: done(0),
      sets: [
        old('a', 1, { isObserved: false }),
        old('b', 2, { isGoing: true }),
        { ...old('c', 3), status: { replicas: 1, observedGeneration: 1 } },
        newest,
      ],
      steps: [],
    },
  ])('$name', check);
});

describe('the new set', () => {
  const draftOf = (wanted: Wanted) => {
    const [step] = decide({ deployment: deployment(wanted), sets: [], occupied: new Set() });
    return step?.kind === 'create' ? step.set : undefined;
  };

  it('is named by the hash of its template, which selects its pods', () => {
    const hash = templateHash(template('new'), undefined);
    expect(
      draftOf({
        annotations: { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
        spec: { minReadySeconds: 5 },
      }),
    ).toEqual({
      metadata: {
        name: `web-${hash}`,
        namespace: 'd',
        labels: { app: 'web', 'pod-template-hash': hash },
        annotations: { note: 'x', [REVISION]: '1', [DESIRED_REPLICAS]: '4', [MAX_REPLICAS]: '5' },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: 'web',
            uid: 'deployment',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        replicas: 4,
        minReadySeconds: 5,
        selector: { matchLabels: { app: 'web', 'pod-template-hash': hash } },
        template: { ...template('new'), metadata: { labels: { app: 'web', 'pod-template-hash': hash } } },
      },
    });
  });

  it('has another name after each collision', () => {
    const names = [undefined, 1, 2].map(
      (count) => draftOf(count === undefined ? {} : { collisionCount: count })?.metadata?.name,
    );
    expect(new Set(names).size).toBe(3);
  });
});
