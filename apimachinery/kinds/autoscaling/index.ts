/** HorizontalPodAutoscalers, and the Scale that a workload's subresource answers with. */
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { complaintsOf } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { absent, at, child, field, fill, isRec, list, optionalNum, recs, unset, type Rec } from '../lib/value.js';
import { horizontalPodAutoscalerPrinter } from '../printers/workloads.js';
import { horizontalPodAutoscalerToV1, horizontalPodAutoscalerToV2 } from './conversion.js';

const CPU_UTILIZATION_DEFAULT = 80;
const WINDOW_SECONDS_MAX = 3600;

function defaultRules(behavior: Rec, name: string, policies: readonly unknown[], window: number | undefined): void {
  const rules = child(behavior, name);
  if (rules === undefined) return;
  if (window !== undefined) fill(rules, 'stabilizationWindowSeconds', window);
  fill(rules, 'selectPolicy', 'Max');
  if (list(rules['policies']).length === 0) rules['policies'] = [...policies];
}

function defaultAutoscaler(object: Rec): void {
  const spec = child(object, 'spec');
  if (spec === undefined) return;
  fill(spec, 'minReplicas', 1);
  if (object['apiVersion'] === 'autoscaling/v1') return;
  if (list(spec['metrics']).length === 0) {
    spec['metrics'] = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: CPU_UTILIZATION_DEFAULT } } }];
  }
  const behavior = field(spec, 'behavior');
  if (!isRec(behavior)) return;
  const doubling = { type: 'Percent', value: 100, periodSeconds: 15 };
  defaultRules(behavior, 'scaleUp', [{ type: 'Pods', value: 4, periodSeconds: 15 }, doubling], 0);
  defaultRules(behavior, 'scaleDown', [doubling], undefined);
}

function validateAutoscaler(object: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    for (const name of ['kind', 'name']) if (unset(at(spec, 'scaleTargetRef', name))) complaints.required(`spec.scaleTargetRef.${name}`);
    const min = optionalNum(field(spec, 'minReplicas'));
    const max = optionalNum(field(spec, 'maxReplicas')) ?? 0;
    if (min !== undefined && min < 1) complaints.invalid('spec.minReplicas', min, 'must be greater than or equal to 1');
    if (max < 1) complaints.invalid('spec.maxReplicas', max, 'must be greater than 0');
    if (min !== undefined && max < min) complaints.invalid('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`');
    for (const [index, metric] of recs(field(spec, 'metrics')).entries()) {
      complaints.oneOf(`spec.metrics[${index}].type`, metric['type'], ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'], true);
    }
    for (const name of ['scaleUp', 'scaleDown']) {
      const window = optionalNum(at(spec, 'behavior', name, 'stabilizationWindowSeconds'));
      const path = `spec.behavior.${name}.stabilizationWindowSeconds`;
      if (window !== undefined && window < 0) complaints.invalid(path, window, 'must be greater than or equal to zero');
      if (window !== undefined && window > WINDOW_SECONDS_MAX) complaints.invalid(path, window, `must be less than or equal to ${WINDOW_SECONDS_MAX}`);
    }
  });
}

/** The body of `/scale`; only its replicas are a wish. */
export function validateScale(scale: unknown): FieldError[] {
  return complaintsOf((complaints) => complaints.atLeast('spec.replicas', at(scale, 'spec', 'replicas')));
}

export const autoscalingExtras: ExtrasTable = {
  'autoscaling/horizontalpodautoscalers': {
    shortNames: ['hpa'], categories: ['all'], storageVersion: 'v2', printer: horizontalPodAutoscalerPrinter,
    strategy: strategyOf({ status: true, defaults: defaultAutoscaler, validate: validateAutoscaler }),
  },
  'autoscaling/v1/horizontalpodautoscalers': {
    conversion: { fromStorage: horizontalPodAutoscalerToV1, toStorage: horizontalPodAutoscalerToV2 },
    printer: {
      columns: horizontalPodAutoscalerPrinter.columns,
      row: (object, now_ms) => horizontalPodAutoscalerPrinter.row(
        absent(field(object, 'spec')) ? object : horizontalPodAutoscalerToV2(object), now_ms),
    },
  },
};
