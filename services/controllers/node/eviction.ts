/**
 * Taint eviction: deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer
 * (k8s.io/kubernetes/pkg/controller/tainteviction).
 */
import { approximate } from '../../../apimachinery/int64.js';
import { nodes, pods } from '../../../apimachinery/gen/resources.js';
import type { Node, Pod, Taint, Toleration } from '../../../apimachinery/gen/types.js';
import { isApiError } from '../../../apimachinery/status.js';
import { Controller, done, requeueAfter, type ReconcileResult } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import { keyOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { isFinished, isTerminating } from '../lib/pods.js';
import { byNode, NODE_INDEX } from './lifecycle.js';

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false;
  if ((toleration.key ?? '') === '') return (toleration.operator ?? 'Equal') === 'Exists';
  if (toleration.key !== taint.key) return false;
  return (toleration.operator ?? 'Equal') === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

/** When the pod has to go, in milliseconds since the epoch; undefined: it may stay. */
export function evictionTime_ms(pod: Pod, taints: readonly Taint[], now_ms: number): number | undefined {
  let earliest: number | undefined;
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const matching = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return now_ms;
    const limits = matching.map((toleration) => toleration.tolerationSeconds).filter((seconds) => seconds !== undefined).map(approximate);
    if (limits.length === 0) continue;
    const since_ms = taint.timeAdded === undefined ? now_ms : Date.parse(taint.timeAdded);
    const due_ms = since_ms + Math.max(0, Math.min(...limits)) * 1000;
    if (earliest === undefined || due_ms < earliest) earliest = due_ms;
  }
  return earliest;
}

const noExecute = (node: Node | undefined) => (node?.spec?.taints ?? []).filter((taint) => taint.effect === 'NoExecute');

export function createTaintEvictionController(context: ControllerContext): Controller {
  const nodeInformer = context.informers.informer(nodes);
  const podInformer = context.informers.informer(pods);
  podInformer.addIndex(NODE_INDEX, byNode);
  const reconcile = async (key: string, signal: AbortSignal): Promise<ReconcileResult> => {
    const pod = podInformer.lister.get(key);
    if (pod === undefined || isTerminating(pod) || isFinished(pod) || (pod.spec?.nodeName ?? '') === '') return done;
    const taints = noExecute(nodeInformer.lister.get(pod.spec?.nodeName ?? ''));
    const now_ms = context.clock.now();
    const due_ms = evictionTime_ms(pod, taints, now_ms);
    if (due_ms === undefined) return done;
    if (due_ms > now_ms) return requeueAfter(due_ms - now_ms);
    const uid = pod.metadata?.uid ?? '';
    const ref = { namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '' };
    await context.client.delete(pods, ref, { preconditions: { uid }, signal }).catch((error: unknown) => {
      if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
    });
    context.events.event({ resource: pods, object: pod }, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    return done;
  };
  return new Controller({
    name: 'taint-eviction', clock: context.clock, logger: context.logger, workers: 4,
    sources: [
      sourceOf(podInformer, bySelf, { filter: (pod, old) => old === undefined || pod.spec?.nodeName !== old.spec?.nodeName || !equalJson(pod.spec?.tolerations, old.spec?.tolerations) }),
      sourceOf(nodeInformer, (node) => podInformer.lister.byIndex(NODE_INDEX, node.metadata?.name ?? '').map(keyOf), {
        filter: (node, old) => !equalJson(noExecute(node), noExecute(old)),
      }),
    ],
    reconcile: (key, call) => reconcile(key, call.signal),
  });
}
