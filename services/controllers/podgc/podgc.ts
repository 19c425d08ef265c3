/**
 * Pod garbage: pods whose node is gone for good, pods that were to go before they were ever placed, and too many
 * finished ones.
 */
import { nodes, pods } from '../../../apimachinery/gen/resources.js';
import type { Pod } from '../../../apimachinery/gen/types.js';
import { Controller, done, requeueAfter } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import { markDisrupted } from '../../../sdk/pod-disruption.js';
import type { ControllerContext } from '../context.js';
import { isFinished, isTerminating } from '../lib/pods.js';
import { deleteSame } from '../lib/writes.js';
import { garbageOf, MissingNodes } from './garbage.js';

const SWEEP_MS = 20_000;
const SWEEP_KEY = '';

export function createPodGcController(context: ControllerContext): Controller {
  const podInformer = context.informers.informer(pods);
  const nodeInformer = context.informers.informer(nodes);
  const missing = new MissingNodes(context.clock);

  /** Nobody else will say that it has ended: it counts as failed before it goes. */
  const removeOrphan = async (pod: Pod, signal: AbortSignal) => {
    const { client, clock } = context;
    await markDisrupted({ client, clock, signal }, pod, {
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
      ...(isFinished(pod) ? {} : { status: { phase: 'Failed' } }),
    });
    await remove(pod, signal);
  };

  const remove = (object: Pod, signal: AbortSignal) =>
    deleteSame(context.client, pods, { object, signal, gracePeriodSeconds: 0 });

  const sweep = async (signal: AbortSignal) => {
    const all = podInformer.lister.list();
    const isPresent = (node: string) => nodeInformer.lister.get(node) !== undefined;
    const { orphans, surplus } = garbageOf(all, missing.givenUp(all, isPresent));
    for (const pod of orphans) await removeOrphan(pod, signal);
    for (const pod of surplus) await remove(pod, signal);
  };

  const controller = new Controller({
    name: 'pod-gc',
    clock: context.clock,
    logger: context.logger,
    workers: 1,
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
