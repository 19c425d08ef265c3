/** Numbers or percentages, as in `maxSurge: 25%` (k8s.io/apimachinery/pkg/util/intstr). */
import type { IntOrString } from './gen/types.js';

const PERCENT = /^(\d+)%$/;

/** The number it stands for: a percentage is taken of `total` and rounded as asked. Undefined for other text. */
export function scaledValue(value: IntOrString, total: number, round: 'up' | 'down'): number | undefined {
  if (typeof value === 'number') return value;
  const match = PERCENT.exec(value);
  if (match === null) return undefined;
  const part = (Number(match[1]) * total) / 100;
  return round === 'up' ? Math.ceil(part) : Math.floor(part);
}
