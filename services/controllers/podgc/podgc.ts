/** Pod garbage: pods whose node is gone for good, pods that were to go before they were ever placed, and too many finished ones. */
import { nodes, pods } from '../../../apimachinery/gen/resources.js';
import type { Pod } from '../../../apimachinery/gen/types.js';
import { Controller, done, requeueAfter } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import { markDisrupted } from '../../../sdk/pod-disruption.js';
import type { ControllerContext } from '../context.js';
import { isFinished, isTerminating } from '../lib/pods.js';
import { deleteSame } from '../lib/writes.js';

/** Finished pods beyond this number go, the oldest first (--terminated-pod-gc-threshold). */
const FINISHED_MAX = 12_500;
/** A node must be missing for this long before its pods are given up: it may be registering again. */
const QUARANTINE_MS = 40_000;
const SWEEP_MS = 20_000;
const SWEEP_KEY = '';

export function createPodGcController(context: ControllerContext): Controller {
  const podInformer = context.informers.informer(pods);
  const nodeInformer = context.informers.informer(nodes);
  const missingSince_ms = new Map<string, number>();

  /** Nobody else will say that it has ended: it counts as failed before it goes. */
  const removeOrphan = async (pod: Pod, signal: AbortSignal) => {
    const { client, clock } = context;
    await markDisrupted({ client, clock, signal }, pod, {
      reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists', ...(isFinished(pod) ? {} : { status: { phase: 'Failed' } }),
    });
    await remove(pod, signal);
  };

  const remove = (object: Pod, signal: AbortSignal) => deleteSame(context.client, pods, { object, signal, gracePeriodSeconds: 0 });

  const sweep = async (signal: AbortSignal) => {
    const now_ms = context.clock.monotonic();
    const all = podInformer.lister.list();
    const homes = new Set(all.map((pod) => pod.spec?.nodeName ?? '').filter((name) => name !== ''));
    for (const name of homes) {
      if (nodeInformer.lister.get(name) !== undefined) missingSince_ms.delete(name);
      else if (!missingSince_ms.has(name)) missingSince_ms.set(name, now_ms);
    }
    for (const name of missingSince_ms.keys()) if (!homes.has(name)) missingSince_ms.delete(name);
    for (const pod of all) {
      const since_ms = missingSince_ms.get(pod.spec?.nodeName ?? '');
      if (since_ms !== undefined && now_ms - since_ms >= QUARANTINE_MS) await removeOrphan(pod, signal);
    }
    const finished = all.filter((pod) => isFinished(pod) && !isTerminating(pod));
    const surplus = finished.length - FINISHED_MAX;
    if (surplus <= 0) return;
    const age = (pod: Pod) => Date.parse(pod.metadata?.creationTimestamp ?? '');
    for (const pod of finished.toSorted((a, b) => age(a) - age(b)).slice(0, surplus)) await remove(pod, signal);
  };

  const controller = new Controller({
    name: 'pod-gc', clock: context.clock, logger: context.logger, workers: 1,
    sources: [
      sourceOf(podInformer, bySelf, { filter: (pod) => isTerminating(pod) && (pod.spec?.nodeName ?? '') === '' }),
      sourceOf(nodeInformer, () => [SWEEP_KEY]),
    ],
    async reconcile(key, { signal }) {
      if (key === SWEEP_KEY) {
        await sweep(signal);
        return requeueAfter(SWEEP_MS);
      }
      const pod = podInformer.lister.get(key);
      if (pod !== undefined && isTerminating(pod) && (pod.spec?.nodeName ?? '') === '') await remove(pod, signal);
      return done;
    },
  });
  controller.enqueue(SWEEP_KEY);
  return controller;
}
