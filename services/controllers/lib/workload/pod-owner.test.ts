/**
 * A kind that the repository does not know owns pods: a Crew has numbered members, replaces them one by one when its
 * template changes, and keeps a history. It registers itself and adds its own thinking, nothing else: `decide` and
 * `report` below are all there is to it (docs/contributing/controller.md).
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controllerRevisions, deployments, jobs, pods } from '../../../../apimachinery/gen/resources.js';
import type { Pod, PodTemplateSpec } from '../../../../apimachinery/gen/types.js';
import type { KubeObject, Resource } from '../../../../apimachinery/object.js';
import { labelSelectorOf, type LabelSelectorObject } from '../../../../apimachinery/selector/labels.js';
import { apiErrors } from '../../../../apimachinery/status.js';
import type { Service } from '../../../../platform/service.js';
import type { ControllerContext } from '../../context.js';
import { actedOn, CONTROLLERS, createControllers, type ControllerRow } from '../../index.js';
import { createTestContext } from '../../testing.js';
import type { PodPatch, PodPlan } from './pod-control.js';
import { createPodOwnerController, type PodLook, type PodReport } from './pod-owner.js';
import { podFromTemplate } from './pod-template.js';
import { isActive, isReady, isTerminating } from '../pods.js';
import { RevisionHistory, type History } from './revision-history.js';
import { templateData } from './revisions.js';

// ---- The kind

interface Crew extends KubeObject {
  spec?: { size?: number; selector?: LabelSelectorObject; template?: PodTemplateSpec; revisionHistoryLimit?: number };
  status?: { members: number; ready: number; revision: string; collisionCount?: number; failure?: string };
}
const crews: Resource<Crew> = {
  group: 'test.example',
  version: 'v1',
  resource: 'crews',
  kind: 'Crew',
  namespaced: true,
};

// ---- Its own thinking: pure functions

const REVISION_LABEL = 'crew-revision';
/** A member stays until its crew has seen that it goes. */
const FINALIZER = 'test.example/crew';
type CrewLook = PodLook<Crew, History>;

const nameOf = ({ metadata }: KubeObject) => metadata?.name ?? '';
const revisionIn = ({ facts }: CrewLook) => nameOf(facts.current);
const seatsOf = (crew: Crew) => Array.from({ length: crew.spec?.size ?? 1 }, (_, i) => `${nameOf(crew)}-${i}`);

function memberOf(look: CrewLook, name: string): Pod {
  const { metadata: { generateName: _, ...metadata } = {}, ...rest } = podFromTemplate(
    look.owner,
    look.owner.spec?.template,
  );
  return {
    ...rest,
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, [REVISION_LABEL]: revisionIn(look) },
      finalizers: [FINALIZER],
    },
  };
}

/** Without the crew's finalizer; those of others stay. */
function released(pod: Pod): PodPatch {
  return { pod, metadata: { finalizers: (pod.metadata?.finalizers ?? []).filter((name) => name !== FINALIZER) } };
}

function decide(look: CrewLook): PodPlan {
  const seats = seatsOf(look.owner);
  const active = look.pods.filter(isActive);
  const vacant = seats.filter((seat) => !look.pods.some((pod) => nameOf(pod) === seat));
  const surplus = active.filter((pod) => !seats.includes(nameOf(pod)));
  const outdated = active.filter((pod) => pod.metadata?.labels?.[REVISION_LABEL] !== revisionIn(look));
  const isSteady = vacant.length === 0 && look.pods.every((pod) => isActive(pod) && isReady(pod));
  return {
    create: vacant.map((seat) => memberOf(look, seat)),
    patch: look.pods
      .filter((pod) => isTerminating(pod) && pod.metadata?.finalizers?.includes(FINALIZER) === true)
      .map(released),
    remove: [...surplus, ...(isSteady ? outdated.slice(0, 1) : [])],
  };
}

function report(look: CrewLook, failure: Error | undefined): PodReport<Crew> {
  const active = look.pods.filter(isActive);
  const { collisionCount } = look.facts;
  return {
    status: {
      members: active.length,
      ready: active.filter(isReady).length,
      revision: revisionIn(look),
      ...(collisionCount === undefined ? {} : { collisionCount }),
      ...(failure === undefined ? {} : { failure: failure.message }),
    },
  };
}

// ---- Its wiring

function createCrewController(context: ControllerContext): Service {
  const history = new RevisionHistory(context, crews);
  const selectorOf = ({ spec }: Crew) => labelSelectorOf(spec?.selector);
  return createPodOwnerController(context, {
    name: 'crew',
    resource: crews,
    workers: 2,
    selectorOf,
    decide,
    report,
    async gather({ owner, pods: members, signal }) {
      const { template, revisionHistoryLimit = 10 } = owner.spec ?? {};
      const labels = template?.metadata?.labels ?? {};
      const { collisionCount } = owner.status ?? {};
      const found = await history.sync({
        owner,
        selector: selectorOf(owner),
        signal,
        labels,
        data: templateData(template),
        collisionCount,
      });
      const live = new Set([
        nameOf(found.current),
        ...members.map(({ metadata }) => metadata?.labels?.[REVISION_LABEL] ?? ''),
      ]);
      await history.trim(found.all, { live, limit: revisionHistoryLimit }, signal);
      return found;
    },
  });
}

const CREW: ControllerRow = {
  name: 'crew-controller',
  account: 'crew-controller',
  component: 'crew-controller',
  actsOn: [crews],
  create: createCrewController,
};

// ---- The tests of it

let t: ReturnType<typeof createTestContext>;
let reporters: string[];
beforeEach(async () => {
  t = createTestContext();
  reporters = [];
  const events = { ...t.context.events, as: (component: string) => (reporters.push(component), t.context.events) };
  const context = { ...t.context, events };
  const parts = {
    clusterAuthority: () => '',
    clusterCidr: '10.0.0.0/16',
    nodeBits: 24,
    nodeGrace_ms: 1000,
  };
  await t.start(
    createControllers({
      context,
      ...parts,
      rows: [...CONTROLLERS.filter(({ name }) => name === 'replicaset-controller'), CREW],
    }),
  );
});
afterEach(() => t.stop());

const template = (image: string): PodTemplateSpec => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
});
const crew = (size: number, spec: object = {}): Crew => ({
  metadata: { name: 'web', namespace: 'd' },
  spec: { size, selector: { matchLabels: { app: 'web' } }, template: template('one'), ...spec },
});
const ref = { namespace: 'd', name: 'web' };
const change = (spec: object) => t.client.patch(crews, ref, { type: 'merge', body: { spec } });
const statusNow = async () => (await t.client.get(crews, ref)).status;
const names = async () => (await t.podList()).map(nameOf);
const images = async () => (await t.podList()).map((pod) => pod.spec?.containers?.[0]?.image);
async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) {
    await t.settle();
    await t.kubelet();
  }
  await t.settle();
}

describe('a kind of its own', () => {
  it('owns pods from its registration alone, and reports events under its own name', async () => {
    await t.client.create(crews, crew(3));
    await settle();
    expect(await names()).toEqual(['web-0', 'web-1', 'web-2']);
    const [first] = await t.podList();
    expect(first?.metadata?.ownerReferences).toMatchObject([
      { apiVersion: 'test.example/v1', kind: 'Crew', name: 'web', controller: true, blockOwnerDeletion: true },
    ]);
    expect(await statusNow()).toMatchObject({ members: 3, ready: 3 });
    expect([
      reporters.includes('crew-controller'),
      t.said.filter((line) => line.includes('SuccessfulCreate: Created pod: web-')),
    ]).toMatchObject([true, { length: 3 }]);
  });

  it('creates and deletes each pod once, however often it looks while its cache is behind', async () => {
    await t.client.create(crews, crew(5));
    await settle();
    await change({ size: 2 });
    await settle();
    const count = (verb: string) =>
      t.service.calls.filter((call) => call.verb === verb && call.resource === 'pods').length;
    expect([await names(), count('create')]).toEqual([['web-0', 'web-1'], 5]);
    expect(t.said.filter((line) => line.includes('SuccessfulDelete'))).toHaveLength(3);
  });

  it('adopts an orphan of its namespace, releases what it selects no more, and fills the seat', async () => {
    await t.client.create(pods, { metadata: { ...ref, name: 'web-0', labels: { app: 'web' } } });
    await t.client.create(pods, { metadata: { namespace: 'e', name: 'web-1', labels: { app: 'web' } } });
    const made = await t.client.create(crews, crew(1));
    await t.settle();
    const owners = async (namespace: string, name: string) =>
      (await t.client.get(pods, { namespace, name })).metadata?.ownerReferences ?? [];
    expect([(await owners('d', 'web-0')).map(({ uid }) => uid), await owners('e', 'web-1')]).toEqual([
      [made.metadata?.uid],
      [],
    ]);
    await change({ size: 2 });
    await settle();
    await t.client.patch(
      pods,
      { namespace: 'd', name: 'web-1' },
      { type: 'merge', body: { metadata: { labels: { app: 'debug' } } } },
    );
    await t.settle();
    expect(await owners('d', 'web-1')).toEqual([]);
  });

  it('takes its members over to a new template one by one, and back by the revision that it had', async () => {
    await t.client.create(crews, crew(3));
    await settle();
    const before = (await statusNow())?.revision;
    await change({ template: template('two') });
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      await t.settle();
      seen.add((await images()).toSorted((a = '', b = '') => (a < b ? -1 : 1)).join(' '));
      await t.kubelet();
    }
    expect([...seen].filter((text) => text.split(' ').length === 3)).toEqual([
      'one one two',
      'one two two',
      'two two two',
    ]);
    await change({ template: template('one') });
    await settle();
    expect([await images(), (await statusNow())?.revision]).toEqual([['one', 'one', 'one'], before]);
    expect(
      (await t.client.list(controllerRevisions)).items
        .map(({ revision }) => revision)
        .toSorted((a, b) => Number(a) - Number(b)),
    ).toEqual([2, 3]);
  });

  it('keeps no more history than it may', async () => {
    await t.client.create(crews, crew(1, { revisionHistoryLimit: 1 }));
    for (const image of ['two', 'three', 'four']) {
      await settle();
      await change({ template: template(image) });
    }
    await settle();
    expect((await t.client.list(controllerRevisions)).items).toHaveLength(2);
  });

  it('asks once when it is refused, reports it, and creates every pod once when it is not', async () => {
    t.service.failNext('create', 'pods', apiErrors.forbidden(pods, '', 'exceeded quota'), 1);
    await t.client.create(crews, crew(40));
    await t.clock.advance(0);
    const said = (reason: string) => t.said.filter((line) => line.includes(reason));
    expect(said('FailedCreate')).toEqual(['web FailedCreate: Error creating: pods is forbidden: exceeded quota']);
    await settle();
    expect([(await names()).length, await statusNow()]).toMatchObject([40, { members: 40 }]);
    // One was refused, and none was tried twice: a name that is taken would be a failure, too.
    expect([said('FailedCreate').length, said('SuccessfulCreate').length]).toEqual([1, 40]);
  });

  it('reports a deletion that fails, and tries it again', async () => {
    await t.client.create(crews, crew(2));
    await settle();
    t.service.failNext('delete', 'pods', apiErrors.forbidden(pods, 'web-1', 'not now'), 1);
    await change({ size: 1 });
    await settle();
    expect([await names(), t.said.filter((line) => line.includes('FailedDelete'))]).toMatchObject([
      ['web-0'],
      { length: 1 },
    ]);
  });

  it('patches pods by the plan, and overwrites nothing newer', async () => {
    await t.client.create(crews, crew(1));
    await settle();
    const finalizers = async () => (await t.client.get(pods, { ...ref, name: 'web-0' })).metadata?.finalizers;
    const body = { metadata: { finalizers: [FINALIZER, 'test/other'] } };
    await t.client.patch(pods, { ...ref, name: 'web-0' }, { type: 'merge', body });
    t.service.failNext('patch', 'pods', apiErrors.conflict(pods, 'web-0', 'the object has been modified'), 1);
    await t.client.delete(pods, { ...ref, name: 'web-0' });
    await t.settle(1000);
    expect([await finalizers(), (await statusNow())?.failure]).toEqual([['test/other'], undefined]);
  });

  it('only patches its pods while it is terminating', async () => {
    await t.client.create(crews, { ...crew(2), metadata: { ...crew(2).metadata, finalizers: ['test/hold'] } });
    await settle();
    await t.client.delete(crews, ref);
    await t.client.delete(pods, { namespace: 'd', name: 'web-0' }, { gracePeriodSeconds: 0 });
    await settle();
    expect([await names(), await statusNow()]).toMatchObject([['web-1'], { members: 1 }]);
    expect((await t.client.get(pods, { ...ref, name: 'web-1' })).metadata?.finalizers).toEqual([FINALIZER]);
  });
});

describe('the table of controllers', () => {
  it('has each name once', () => {
    const all = CONTROLLERS.map(({ name }) => name);
    expect(new Set(all).size).toBe(all.length);
  });

  it('shows on which kinds a controller acts, in whatever version', () => {
    const hasController = actedOn([...CONTROLLERS, CREW]);
    const asked = [crews, { ...crews, version: 'v2' }, deployments, jobs, { ...crews, group: 'other.example' }];
    expect(asked.map(hasController)).toEqual([true, true, true, false, false]);
    expect(actedOn()(crews)).toBe(false);
  });
});
