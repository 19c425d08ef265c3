/**
 * Takes the condition DisruptionTarget back from pods that were to go and are still there: their eviction failed half
 * way.
 */
import { pods } from '../../../apimachinery/gen/resources.js';
import type { Pod } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import { Controller, done, requeueAfter } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import { DISRUPTION_TARGET } from '../../../sdk/pod-disruption.js';
import { refOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { ignoring } from '../lib/errors.js';
import { isFinished, isTerminating, podCondition } from '../lib/pods.js';

const STALE_MS = 120_000;

/** Milliseconds until the condition is stale; undefined: it never will be. A kubelet may take its time to end a pod. */
function staleIn_ms(pod: Pod, now_ms: number): number | undefined {
  const condition = podCondition(pod, DISRUPTION_TARGET);
  if (
    condition?.status !== 'True' ||
    condition.reason === 'TerminationByKubelet' ||
    isTerminating(pod) ||
    isFinished(pod)
  )
    return undefined;
  return Math.max(0, Date.parse(condition.lastTransitionTime ?? '') + STALE_MS - now_ms);
}

export function createStaleTargetsController(context: ControllerContext): Controller {
  const informer = context.informers.informer(pods);
  return new Controller({
    name: 'stale-disruption-targets',
    clock: context.clock,
    logger: context.logger,
    workers: 1,
    sources: [sourceOf(informer, bySelf, { filter: (pod) => podCondition(pod, DISRUPTION_TARGET)?.status === 'True' })],
    async reconcile(key, { signal }) {
      const pod = informer.lister.get(key);
      const now_ms = context.clock.now();
      const wait_ms = pod === undefined ? undefined : staleIn_ms(pod, now_ms);
      if (pod === undefined || wait_ms === undefined) return done;
      if (wait_ms > 0) return requeueAfter(wait_ms);
      const { uid, resourceVersion } = pod.metadata ?? {};
      const condition = {
        type: DISRUPTION_TARGET,
        status: 'False',
        lastTransitionTime: toTime(now_ms),
        reason: null,
        message: null,
      };
      const body = { metadata: { uid, resourceVersion }, status: { conditions: [condition] } };
      const options = { subresource: 'status', signal };
      await context.client.patch(pods, refOf(pod), { type: 'strategic', body }, options).catch(ignoring('NotFound'));
      return done;
    },
  });
}
