/**
 * Metrics and behaviour of autoscalers as annotations of v1 hold them: types of v1 that its spec has no room for
 * (kube-apiserver, pkg/apis/autoscaling/v1).
 */
import { at, isRec, rec, recs, str, type Rec } from '../lib/value.js';

/** A field of v1 and where v2 has it. `always`: v1 cannot leave it out, and says "0" instead. */
interface Place {
  readonly v1: string;
  readonly v2: readonly [string, string?];
  readonly always?: boolean;
}

interface Source {
  readonly field: string;
  /** In the order of v1's type. */
  readonly places: readonly Place[];
}

const place = (v1: string, ...v2: readonly [string, string?]): Place => ({ v1, v2 });
const NAME = place('metricName', 'metric', 'name');
const SELECTOR: readonly [string, string] = ['metric', 'selector'];

/**
 * `of`: what a metric of a spec aims at, or what a status found. A status always has the numbers that a spec may choose
 * between.
 */
function sourcesOf(of: 'target' | 'current'): readonly Source[] {
  const value = { v1: `${of}Value`, v2: [of, 'value'] } as const;
  const average = { v1: `${of}AverageValue`, v2: [of, 'averageValue'] } as const;
  const utilization = place(`${of}AverageUtilization`, of, 'averageUtilization');
  const found = of === 'current' ? { always: true } : {};
  return [
    {
      field: 'object',
      places: [
        place('target', 'describedObject'),
        NAME,
        { ...value, always: true },
        place('selector', ...SELECTOR),
        { ...average, v1: 'averageValue' },
      ],
    },
    { field: 'pods', places: [NAME, { ...average, always: true }, place('selector', ...SELECTOR)] },
    { field: 'resource', places: [place('name', 'name'), utilization, { ...average, ...found }] },
    {
      field: 'containerResource',
      places: [place('name', 'name'), utilization, { ...average, ...found }, place('container', 'container')],
    },
    { field: 'external', places: [NAME, place('metricSelector', ...SELECTOR), { ...value, ...found }, average] },
  ];
}

const TARGETS = sourcesOf('target');
const CURRENTS = sourcesOf('current');

function toV1(metric: Rec, sources: readonly Source[]): Rec {
  const made: Rec = { type: metric['type'] };
  for (const { field, places } of sources) {
    const source = metric[field];
    if (!isRec(source)) continue;
    made[field] = Object.fromEntries(
      places.flatMap(({ v1, v2: [outer, inner], always: isForced }) => {
        const value = inner === undefined ? source[outer] : at(source, outer, inner);
        return value === undefined || value === null ? (isForced === true ? [[v1, '0']] : []) : [[v1, value]];
      }),
    );
  }
  return made;
}

function toV2(metric: Rec, sources: readonly Source[]): Rec {
  const made: Rec = { type: metric['type'] };
  for (const { field, places } of sources) {
    const source = metric[field];
    if (!isRec(source)) continue;
    const into: Record<string, Rec> = {};
    const whole: Rec = {};
    for (const {
      v1,
      v2: [outer, inner],
    } of places) {
      const value = source[v1];
      if (value === undefined || value === null) continue;
      if (inner === undefined) whole[outer] = value;
      else (into[outer] ??= {})[inner] = value;
    }
    made[field] = { ...whole, ...into };
  }
  return made;
}

/** By what a metric is measured: v1 leaves it to its reader. */
function targetType(field: string, target: Rec): string {
  switch (field) {
    case 'object':
      return target['averageValue'] === undefined ? 'Value' : 'AverageValue';
    case 'external':
      return target['value'] === undefined ? 'AverageValue' : 'Value';
    case 'pods':
      return 'AverageValue';
    default:
      return target['averageUtilization'] === undefined ? 'AverageValue' : 'Utilization';
  }
}

export const metricsToV1 = (metrics: unknown): Rec[] => recs(metrics).map((metric) => toV1(metric, TARGETS));
export const currentMetricsToV1 = (metrics: unknown): Rec[] => recs(metrics).map((metric) => toV1(metric, CURRENTS));
export const currentMetricsToV2 = (metrics: unknown): Rec[] => recs(metrics).map((metric) => toV2(metric, CURRENTS));

export function metricsToV2(metrics: unknown): Rec[] {
  return recs(metrics).map((metric) => {
    const made = toV2(metric, TARGETS);
    for (const { field } of TARGETS) {
      const source = made[field];
      if (!isRec(source)) continue;
      const { value, ...rest } = rec(source['target']);
      // Of an average v1 cannot leave the plain value out: its zero is nobody's wish.
      const isNothing =
        value === undefined ||
        (field === 'object' && rest['averageValue'] !== undefined && /^0+[a-zA-Z]*$/.test(str(value)));
      source['target'] = { type: targetType(field, rec(source['target'])), ...(isNothing ? {} : { value }), ...rest };
    }
    return made;
  });
}

const capitalized = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
const RULES = ['stabilizationWindowSeconds', 'selectPolicy', 'policies', 'tolerance'];

/** kube-apiserver writes its internal type here: names with capitals, and null for what is absent. */
export function behaviorToV1(behavior: Rec): Rec {
  const rules = (given: unknown): Rec | null =>
    isRec(given)
      ? Object.fromEntries(
          RULES.map((name) => {
            const value = given[name] ?? null;
            return [
              capitalized(name),
              name === 'policies' && Array.isArray(value)
                ? recs(value).map((policy) =>
                    Object.fromEntries(
                      ['type', 'value', 'periodSeconds'].map((key) => [capitalized(key), policy[key] ?? null]),
                    ),
                  )
                : value,
            ];
          }),
        )
      : null;
  return { ScaleUp: rules(behavior['scaleUp']), ScaleDown: rules(behavior['scaleDown']) };
}

/** Names are read whatever their letters' case, as Go reads them. Nothing in it: undefined. */
export function behaviorToV2(given: unknown): Rec | undefined {
  const pick = (value: Rec, names: readonly string[]): Rec =>
    Object.fromEntries(
      Object.entries(value).flatMap(([key, one]) => {
        const name = names.find((known) => known.toLowerCase() === key.toLowerCase());
        return name === undefined || one === null ? [] : [[name, one]];
      }),
    );
  if (!isRec(given)) return undefined;
  const behavior = pick(given, ['scaleUp', 'scaleDown']);
  for (const [direction, rules] of Object.entries(behavior)) {
    const picked = pick(rec(rules), RULES);
    if (picked['policies'] !== undefined)
      picked['policies'] = recs(picked['policies']).map((policy) => pick(policy, ['type', 'value', 'periodSeconds']));
    behavior[direction] = picked;
  }
  return Object.keys(behavior).length === 0 ? undefined : behavior;
}
