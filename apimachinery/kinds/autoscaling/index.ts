/** HorizontalPodAutoscalers: defaults and their two versions. */
import type { ExtrasTable } from '../extras.js';
import { strategyOf } from '../lib/strategy.js';
import { absent, at, child, field, fill, isRec, list, type Rec } from '../lib/value.js';
import { horizontalPodAutoscalerPrinter } from '../printers/workloads.js';
import { horizontalPodAutoscalerToV1, horizontalPodAutoscalerToV2 } from './conversion.js';
import { validateAutoscaler } from './validate.js';

const CPU_UTILIZATION_DEFAULT = 80;

function defaultRules(behavior: Rec, name: string, policies: readonly unknown[], window: number | undefined): void {
  const rules = child(behavior, name);
  if (rules === undefined) return;
  if (window !== undefined) fill(rules, 'stabilizationWindowSeconds', window);
  fill(rules, 'selectPolicy', 'Max');
  fill(rules, 'policies', [...policies]);
}

/** Of version 1: metrics beyond CPU and the behaviour are annotations there. */
function defaultUtilization(object: Rec, spec: Rec): void {
  if (absent(at(object, 'metadata', 'annotations', 'autoscaling.alpha.kubernetes.io/metrics')))
    fill(spec, 'targetCPUUtilizationPercentage', CPU_UTILIZATION_DEFAULT);
}

function defaultAutoscaler(object: Rec): void {
  const spec = child(object, 'spec');
  if (spec === undefined) return;
  fill(spec, 'minReplicas', 1);
  if (object['apiVersion'] === 'autoscaling/v1') return defaultUtilization(object, spec);
  if (list(spec['metrics']).length === 0) {
    spec['metrics'] = [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: CPU_UTILIZATION_DEFAULT } },
      },
    ];
  }
  const behavior = field(spec, 'behavior');
  if (!isRec(behavior)) return;
  const doubling = { type: 'Percent', value: 100, periodSeconds: 15 };
  defaultRules(behavior, 'scaleUp', [{ type: 'Pods', value: 4, periodSeconds: 15 }, doubling], 0);
  defaultRules(behavior, 'scaleDown', [doubling], undefined);
}

export const autoscalingExtras: ExtrasTable = {
  'autoscaling/horizontalpodautoscalers': {
    shortNames: ['hpa'],
    categories: ['all'],
    storageVersion: 'v2',
    printer: horizontalPodAutoscalerPrinter,
    strategy: strategyOf({
      status: true,
      defaults: defaultAutoscaler,
      validatesAll: true,
      validate: validateAutoscaler,
    }),
  },
  'autoscaling/v1/horizontalpodautoscalers': {
    conversion: { fromStorage: horizontalPodAutoscalerToV1, toStorage: horizontalPodAutoscalerToV2 },
    printer: {
      columns: horizontalPodAutoscalerPrinter.columns,
      row: (object, now_ms) =>
        horizontalPodAutoscalerPrinter.row(
          absent(field(object, 'spec')) ? object : horizontalPodAutoscalerToV2(object),
          now_ms,
        ),
    },
  },
};
