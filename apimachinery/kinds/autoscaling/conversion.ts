/**
 * HorizontalPodAutoscaler v1 and v2: stored as v2; v1 knows cpu alone and keeps the rest in annotations, as Kubernetes
 * does.
 */
import { encodeJson, parseJson } from '../../json-value.js';
import type { KubeObject } from '../../object.js';
import { at, child, clone, field, isRec, keysOf, list, optionalNum, recs, type Rec } from '../lib/value.js';
import {
  behaviorToV1,
  behaviorToV2,
  currentMetricsToV1,
  currentMetricsToV2,
  metricsToV1,
  metricsToV2,
} from './metrics-v1.js';

const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';
const CURRENT = 'autoscaling.alpha.kubernetes.io/current-metrics';
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';

const draftOf = (object: KubeObject): Rec => clone(object) as Rec;

function isCpuUtilization(metric: Rec): boolean {
  return (
    metric['type'] === 'Resource' &&
    at(metric, 'resource', 'name') === 'cpu' &&
    optionalNum(at(metric, 'resource', 'target', 'averageUtilization')) !== undefined
  );
}

function annotate(draft: Rec, key: string, value: unknown): void {
  const annotations = child(child(draft, 'metadata') ?? {}, 'annotations');
  if (annotations !== undefined) annotations[key] = encodeJson(value);
}

/** Takes an annotation off and gives what it held; undefined when it is absent or no JSON. */
function takeAnnotation(draft: Rec, key: string): unknown {
  const annotations = at(draft, 'metadata', 'annotations');
  const text = field(annotations, key);
  if (!isRec(annotations) || typeof text !== 'string') return undefined;
  delete annotations[key];
  const metadata = field(draft, 'metadata');
  if (keysOf(annotations).length === 0 && isRec(metadata)) delete metadata['annotations'];
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

export function horizontalPodAutoscalerToV2(object: KubeObject): KubeObject {
  const draft = draftOf(object);
  draft['apiVersion'] = 'autoscaling/v2';
  const spec = child(draft, 'spec');
  const status = field(draft, 'status');
  const others = takeAnnotation(draft, METRICS);
  const behavior = takeAnnotation(draft, BEHAVIOR);
  const current = takeAnnotation(draft, CURRENT);
  const conditions = takeAnnotation(draft, CONDITIONS);
  if (spec !== undefined) {
    const cpu = optionalNum(spec['targetCPUUtilizationPercentage']);
    delete spec['targetCPUUtilizationPercentage'];
    const metrics = metricsToV2(others);
    if (cpu !== undefined) {
      metrics.push({
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } },
      });
    }
    if (metrics.length > 0) spec['metrics'] = metrics;
    const rules = behaviorToV2(behavior);
    if (rules !== undefined) spec['behavior'] = rules;
  }
  if (isRec(status)) {
    const cpu = optionalNum(status['currentCPUUtilizationPercentage']);
    delete status['currentCPUUtilizationPercentage'];
    if (Array.isArray(current)) status['currentMetrics'] = currentMetricsToV2(current);
    else if (cpu !== undefined)
      status['currentMetrics'] = [
        { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: cpu } } },
      ];
    if (Array.isArray(conditions)) status['conditions'] = conditions;
  }
  return draft as KubeObject;
}

export function horizontalPodAutoscalerToV1(object: KubeObject): KubeObject {
  const draft = draftOf(object);
  draft['apiVersion'] = 'autoscaling/v1';
  const spec = child(draft, 'spec');
  const status = field(draft, 'status');
  // Those that are there say nothing of this object.
  for (const key of [METRICS, BEHAVIOR, CURRENT, CONDITIONS]) takeAnnotation(draft, key);
  if (spec !== undefined) {
    const metrics = recs(spec['metrics']);
    const cpu = metrics.find(isCpuUtilization);
    const others = metrics.filter((metric) => metric !== cpu);
    if (cpu !== undefined) spec['targetCPUUtilizationPercentage'] = at(cpu, 'resource', 'target', 'averageUtilization');
    if (others.length > 0) annotate(draft, METRICS, metricsToV1(others));
    if (isRec(spec['behavior'])) annotate(draft, BEHAVIOR, behaviorToV1(spec['behavior']));
    delete spec['metrics'];
    delete spec['behavior'];
  }
  if (isRec(status)) {
    const metrics = recs(status['currentMetrics']);
    const cpu = metrics.find((metric) => metric['type'] === 'Resource' && at(metric, 'resource', 'name') === 'cpu');
    const utilization = at(cpu, 'resource', 'current', 'averageUtilization');
    if (utilization !== undefined) status['currentCPUUtilizationPercentage'] = utilization;
    if (metrics.length > 0) annotate(draft, CURRENT, currentMetricsToV1(metrics));
    if (list(status['conditions']).length > 0) annotate(draft, CONDITIONS, status['conditions']);
    delete status['currentMetrics'];
    delete status['conditions'];
  }
  return draft as KubeObject;
}
