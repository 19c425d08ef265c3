/**
 * Disruption: computes how many of a PodDisruptionBudget's pods may be evicted now. In: budgets, pods, the scales of
 * their controllers. Out: the budgets' status, without which the API server evicts none of their pods; and an end to
 * DisruptionTarget conditions of pods that were to go and did not.
 */
import { podDisruptionBudgets, pods } from '../../../apimachinery/gen/resources.js';
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../../apimachinery/gen/types.js';
import { labelSelectorOf, type LabelSelectorObject } from '../../../apimachinery/selector/labels.js';
import {
  Controller,
  done,
  requeueAfter,
  type ReconcileContext,
  type ReconcileResult,
} from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { Lister } from '../../../sdk/informer/object-cache.js';
import { keyOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import type { Discovery } from '../discovery.js';
import { equalJson } from '../lib/equal.js';
import { eventsFor, type KindEvents } from '../lib/events.js';
import { byNamespace, NAMESPACE_INDEX } from '../lib/indexes.js';
import { podCondition } from '../lib/pods.js';
import { writeStatus } from '../lib/writes.js';
import { countsByScale, decide, failedStatus, type Decision, type Look } from './budget.js';
import { ScaleFinder } from './scales.js';

/** Between two looks at what no event tells: scales of custom resources, and what failed. */
const RECHECK_MS = 15_000;

const selectorOf = ({ spec }: PodDisruptionBudget) =>
  labelSelectorOf(spec?.selector as LabelSelectorObject | undefined);

class DisruptionReconciler {
  readonly #context: ControllerContext;
  readonly #budgets: Lister<PodDisruptionBudget>;
  readonly #pods: Lister<Pod>;
  readonly #scales: ScaleFinder;
  readonly #events: KindEvents;
  readonly #podEvents: KindEvents;

  constructor(context: ControllerContext, discovery: Discovery) {
    this.#context = context;
    this.#budgets = context.informers.informer(podDisruptionBudgets).lister;
    this.#pods = context.informers.informer(pods).lister;
    this.#scales = new ScaleFinder(context, discovery);
    this.#events = eventsFor(context.events, podDisruptionBudgets);
    this.#podEvents = eventsFor(context.events, pods);
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<ReconcileResult> {
    const budget = this.#budgets.get(key);
    if (budget === undefined) return done;
    const selector = selectorOf(budget);
    const selected = this.#pods
      .byIndex(NAMESPACE_INDEX, budget.metadata?.namespace ?? '')
      .filter(({ metadata }) => selector.matches(metadata?.labels));
    const look: Look = { budget, pods: selected, now_ms: this.#context.clock.now() };
    if (selected.length === 0) this.#events.normal(budget, 'NoPods', 'No matching pods found');
    let found: Awaited<ReturnType<ScaleFinder['of']>>;
    try {
      found = countsByScale(budget) ? await this.#scales.of(selected, signal) : { scales: new Map(), isAsked: false };
    } catch (error) {
      if (signal.aborted) throw error;
      const why = (error as Error).message;
      this.#events.warning(
        budget,
        'CalculateExpectedPodCountFailed',
        `Failed to calculate the number of expected pods: ${why}`,
      );
      await this.#write(budget, failedStatus(look, why), signal);
      return requeueAfter(RECHECK_MS);
    }
    const decision = decide(look, found.scales);
    this.#report(budget, decision);
    await this.#write(budget, decision.status, signal);
    const waits = [decision.recheckIn_ms, found.isAsked ? RECHECK_MS : undefined].filter(
      (wait_ms) => wait_ms !== undefined,
    );
    return waits.length === 0 ? done : requeueAfter(waits.reduce((least, wait) => Math.min(least, wait)));
  }

  async #write(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus, signal: AbortSignal): Promise<void> {
    // Conflicts are thrown: an eviction may have booked a disruption in the status.
    await writeStatus(this.#context.client, podDisruptionBudgets, { object: budget, status, signal });
  }

  #report(budget: PodDisruptionBudget, { notDeleted, unmanaged }: Decision): void {
    if (unmanaged.length > 0) {
      this.#events.warning(
        budget,
        'UnmanagedPods',
        `Pods selected by this PodDisruptionBudget (selector: ${JSON.stringify(budget.spec?.selector ?? {})}) were found to be unmanaged. ` +
          'As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. ' +
          'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.',
      );
    }
    for (const pod of notDeleted) {
      this.#podEvents.warning(
        pod,
        'NotDeleted',
        `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`,
      );
    }
  }
}

/** What a budget reads of a pod. */
function isChanged(pod: Pod, old: Pod | undefined): boolean {
  const essence = (one: Pod | undefined) => [
    one?.metadata?.labels,
    one?.metadata?.ownerReferences,
    one?.metadata?.deletionTimestamp,
    one === undefined ? undefined : podCondition(one, 'Ready')?.status,
  ];
  return old === undefined || !equalJson(essence(pod), essence(old));
}

export function createDisruptionController(
  context: ControllerContext,
  { discovery }: { readonly discovery: Discovery },
): Controller {
  const budgets = context.informers.informer(podDisruptionBudgets);
  const podInformer = context.informers.informer(pods);
  budgets.addIndex(NAMESPACE_INDEX, byNamespace);
  podInformer.addIndex(NAMESPACE_INDEX, byNamespace);
  const reconciler = new DisruptionReconciler(context, discovery);
  const budgetsOfPod = (pod: Pod) =>
    budgets.lister
      .byIndex(NAMESPACE_INDEX, pod.metadata?.namespace ?? '')
      .filter((budget) => selectorOf(budget).matches(pod.metadata?.labels))
      .map(keyOf);
  return new Controller({
    name: 'disruption',
    clock: context.clock,
    logger: context.logger,
    workers: 4,
    sources: [sourceOf(budgets, bySelf), sourceOf(podInformer, budgetsOfPod, { filter: isChanged })],
    reconcile: (key, call) => reconciler.reconcile(key, call),
  });
}
