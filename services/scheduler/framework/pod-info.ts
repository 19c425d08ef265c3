/**
 * A pod as the scheduler sees it: what its plugins ask again and again, worked out once for each version of the pod.
 */
import { hostPortsOf } from '../../../apimachinery/kinds/pod/host-ports.js';
import type { HostPort } from '../../../apimachinery/kinds/pod/host-ports.js';
import { podRequests } from '../../../apimachinery/kinds/pod/resources.js';
import type { Resources } from '../../../apimachinery/kinds/pod/resources.js';
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '../../../apimachinery/gen/types.js';
import { LabelSelector, labelSelectorOf } from '../../../apimachinery/selector/labels.js';
import type { Labels, LabelRequirement } from '../../../apimachinery/selector/labels.js';
import { keyOf } from '../../../sdk/key.js';

/** Amounts by resource name: cpu in thousandths, everything else in whole units (bytes, counts). Exact up to 2^53. */
export type Amounts = ReadonlyMap<string, number>;

/** What best-effort pods are taken to use when nodes are scored, so that they spread too (as in kube-scheduler). */
const UNSPECIFIED: Amounts = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024],
]);

/** A term of pod affinity, compiled. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: LabelSelector;
  readonly namespaces: ReadonlySet<string>;
  /** Further namespaces, by their labels; undefined: none. */
  readonly namespaceSelector: LabelSelector | undefined;
}

interface WeightedTerm {
  readonly weight: number;
  readonly term: AffinityTerm;
}

export interface PodInfo {
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly pod: Pod;
  readonly labels: Labels;
  readonly priority: number;
  readonly requests: Amounts;
  /** Requests for scoring: with a guess in place of what was not said. */
  readonly scoredRequests: Amounts;
  readonly hostPorts: readonly HostPort[];
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly WeightedTerm[];
  readonly preferredAntiAffinity: readonly WeightedTerm[];
}

/** Throws ApiError BadRequest for selectors that validation should have refused. */
export function podInfoOf(pod: Pod): PodInfo {
  const namespace = pod.metadata?.namespace ?? '';
  const labels = pod.metadata?.labels ?? {};
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const context = { namespace, labels };
  const term = (raw: PodAffinityTerm) => affinityTermOf(raw, context);
  const weighted = ({ weight, podAffinityTerm }: WeightedPodAffinityTerm): WeightedTerm => ({
    weight,
    term: term(podAffinityTerm),
  });
  const requests = amountsOf(podRequests(pod));
  return {
    key: keyOf(pod),
    uid: pod.metadata?.uid ?? '',
    namespace,
    pod,
    labels,
    requests,
    priority: pod.spec?.priority ?? 0,
    scoredRequests: new Map([...UNSPECIFIED, ...requests]),
    hostPorts: hostPortsOf(pod),
    requiredAffinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term),
    requiredAntiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term),
    preferredAffinity: (podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(weighted),
    preferredAntiAffinity: (podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(weighted),
  };
}

/** Of `status.allocatable` or of a pod's sums. */
export function amountsOf(resources: Resources): Map<string, number> {
  const amounts = new Map<string, number>();
  for (const [name, { nano }] of resources)
    amounts.set(name, ceilDivide(nano, name === 'cpu' ? 1_000_000n : 1_000_000_000n));
  return amounts;
}

function ceilDivide(value: bigint, unit: bigint): number {
  return Number(value > 0n ? (value + unit - 1n) / unit : value / unit);
}

interface TermContext {
  readonly namespace: string;
  readonly labels: Labels;
}

function affinityTermOf(raw: PodAffinityTerm, { namespace, labels }: TermContext): AffinityTerm {
  const named = raw.namespaces ?? [];
  const own = named.length === 0 && raw.namespaceSelector === undefined;
  return {
    topologyKey: raw.topologyKey,
    selector: withOwnLabels(labelSelectorOf(raw.labelSelector), labels, {
      match: raw.matchLabelKeys ?? [],
      mismatch: raw.mismatchLabelKeys ?? [],
    }),
    namespaces: new Set(own ? [namespace] : named),
    namespaceSelector: raw.namespaceSelector === undefined ? undefined : labelSelectorOf(raw.namespaceSelector),
  };
}

/**
 * Adds the pod's own values of some labels to a selector (matchLabelKeys, KEP-3633). Keys the pod lacks add nothing.
 */
export function withOwnLabels(
  selector: LabelSelector,
  labels: Labels,
  keys: { readonly match: readonly string[]; readonly mismatch: readonly string[] },
): LabelSelector {
  if (selector.isNothing || (keys.match.length === 0 && keys.mismatch.length === 0)) return selector;
  const requirement =
    (operator: 'in' | 'notin') =>
    (key: string): LabelRequirement[] => {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    };
  return new LabelSelector([
    ...selector.requirements,
    ...keys.match.flatMap(requirement('in')),
    ...keys.mismatch.flatMap(requirement('notin')),
  ]);
}

/** Does the term speak of this pod? */
export function termMatches(
  term: AffinityTerm,
  pod: PodInfo,
  namespaceLabels: (namespace: string) => Labels | undefined,
): boolean {
  const inNamespace =
    term.namespaces.has(pod.namespace) ||
    (term.namespaceSelector !== undefined && term.namespaceSelector.matches(namespaceLabels(pod.namespace)));
  return inNamespace && term.selector.matches(pod.labels);
}
