import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../object.js';
import { horizontalPodAutoscalerToV1, horizontalPodAutoscalerToV2 } from './conversion.js';

const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const selector = { matchLabels: { a: 'b' } };
const describedObject = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };

const scaler = (spec: Record<string, unknown>, status: Record<string, unknown> = {}): KubeObject =>
  ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'a' },
    spec: { maxReplicas: 3, ...spec },
    status,
  }) as never;
const noted = (object: KubeObject, key: string): unknown => {
  const text = object.metadata?.annotations?.[PREFIX + key];
  return text === undefined ? undefined : JSON.parse(text);
};

describe('metrics that v1 has no field for are in annotations, in the types of v1 (rows 17 and 42)', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      'memory',
      { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
      { type: 'Resource', resource: { name: 'memory', targetAverageValue: '1Gi' } },
    ],
    [
      'a share of memory',
      { type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 70 } } },
      { type: 'Resource', resource: { name: 'memory', targetAverageUtilization: 70 } },
    ],
    [
      'a container',
      {
        type: 'ContainerResource',
        containerResource: { name: 'cpu', container: 'c', target: { type: 'Utilization', averageUtilization: 50 } },
      },
      { type: 'ContainerResource', containerResource: { name: 'cpu', targetAverageUtilization: 50, container: 'c' } },
    ],
    [
      'pods',
      {
        type: 'Pods',
        pods: { metric: { name: 'qps', selector }, target: { type: 'AverageValue', averageValue: '10' } },
      },
      { type: 'Pods', pods: { metricName: 'qps', targetAverageValue: '10', selector } },
    ],
    [
      'an object',
      { type: 'Object', object: { describedObject, metric: { name: 'hits' }, target: { type: 'Value', value: '2k' } } },
      { type: 'Object', object: { target: describedObject, metricName: 'hits', targetValue: '2k' } },
    ],
    [
      'an object, for each pod',
      {
        type: 'Object',
        object: { describedObject, metric: { name: 'hits' }, target: { type: 'AverageValue', averageValue: '5' } },
      },
      { type: 'Object', object: { target: describedObject, metricName: 'hits', targetValue: '0', averageValue: '5' } },
    ],
    [
      'elsewhere',
      { type: 'External', external: { metric: { name: 'queue', selector }, target: { type: 'Value', value: '30' } } },
      { type: 'External', external: { metricName: 'queue', metricSelector: selector, targetValue: '30' } },
    ],
    [
      'elsewhere, for each pod',
      {
        type: 'External',
        external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '30' } },
      },
      { type: 'External', external: { metricName: 'queue', targetAverageValue: '30' } },
    ],
  ])('%s', (_what, v2, v1) => {
    const object = scaler({ metrics: [v2] });
    const old = horizontalPodAutoscalerToV1(object);
    expect(noted(old, 'metrics')).toEqual([v1]);
    expect(horizontalPodAutoscalerToV2(old)).toEqual(object);
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      'a resource',
      { type: 'Resource', resource: { name: 'memory', current: { averageUtilization: 4, averageValue: '1Mi' } } },
      { type: 'Resource', resource: { name: 'memory', currentAverageUtilization: 4, currentAverageValue: '1Mi' } },
    ],
    [
      'pods',
      { type: 'Pods', pods: { metric: { name: 'qps' }, current: { averageValue: '3' } } },
      { type: 'Pods', pods: { metricName: 'qps', currentAverageValue: '3' } },
    ],
    [
      'elsewhere',
      { type: 'External', external: { metric: { name: 'q' }, current: { value: '3', averageValue: '1' } } },
      { type: 'External', external: { metricName: 'q', currentValue: '3', currentAverageValue: '1' } },
    ],
  ])('and what was found: %s', (_what, v2, v1) => {
    const object = scaler({}, { currentMetrics: [v2], conditions: [{ type: 'AbleToScale', status: 'True' }] });
    const old = horizontalPodAutoscalerToV1(object);
    expect([noted(old, 'current-metrics'), noted(old, 'conditions')]).toEqual([
      [v1],
      [{ type: 'AbleToScale', status: 'True' }],
    ]);
    expect(horizontalPodAutoscalerToV2(old)).toEqual(object);
  });

  it('behaviour is written as kube-apiserver writes it, and read in any case of letters', () => {
    const behavior = {
      scaleDown: { stabilizationWindowSeconds: 60, policies: [{ type: 'Pods', value: 1, periodSeconds: 30 }] },
    };
    const object = scaler({ behavior });
    const old = horizontalPodAutoscalerToV1(object);
    expect(noted(old, 'behavior')).toEqual({
      ScaleUp: null,
      ScaleDown: {
        StabilizationWindowSeconds: 60,
        SelectPolicy: null,
        Policies: [{ Type: 'Pods', Value: 1, PeriodSeconds: 30 }],
        Tolerance: null,
      },
    });
    expect(horizontalPodAutoscalerToV2(old)).toEqual(object);
    const lower = { ...old, metadata: { name: 'a', annotations: { [`${PREFIX}behavior`]: JSON.stringify(behavior) } } };
    expect(horizontalPodAutoscalerToV2(lower)).toEqual(object);
  });

  it('annotations that come from elsewhere are not believed, and rubbish in them is nothing', () => {
    const stray = { ...scaler({}), metadata: { name: 'a', annotations: { [`${PREFIX}metrics`]: '[]', kept: 'x' } } };
    expect(horizontalPodAutoscalerToV1(stray).metadata?.annotations).toEqual({ kept: 'x' });
    const rubbish = {
      ...scaler({}),
      apiVersion: 'autoscaling/v1',
      metadata: {
        name: 'a',
        annotations: { [`${PREFIX}metrics`]: '{', [`${PREFIX}behavior`]: '[1]', [`${PREFIX}current-metrics`]: '"x"' },
      },
    };
    expect(horizontalPodAutoscalerToV2(rubbish)).toEqual(scaler({}));
  });
});
