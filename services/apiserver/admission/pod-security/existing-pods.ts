/** What a namespace's stricter level says of the pods that are there already: warnings, grouped by reason. */
import type { Pod } from '../../../../apimachinery/gen/types.js';
import type { Clock } from '../../../../platform/clock.js';
import { reasonsOf, violationsOf } from './evaluate.js';
import { levelVersionText, type LevelVersion } from './policy.js';

/** As many as Kubernetes looks at, and no longer than a main thread may be held. */
const PODS_MAX = 3000;
const LOOK_MS_MAX = 25;

interface Look {
  readonly namespace: string;
  readonly enforce: LevelVersion;
  readonly clock: Clock;
}

export function warningsOfExisting(existing: readonly Pod[], { namespace, enforce, clock }: Look): string[] {
  const started_ms = clock.monotonic();
  const byReason = new Map<string, string[]>();
  let checked = 0;
  for (const pod of oneOfEachOwnerFirst(existing).slice(0, PODS_MAX)) {
    checked += 1;
    if (pod.spec === undefined) continue;
    const reasons = reasonsOf(violationsOf({ annotations: pod.metadata?.annotations ?? {}, spec: pod.spec }, enforce));
    if (reasons !== '') {
      const names = byReason.get(reasons) ?? [];
      names.push(pod.metadata?.name ?? '');
      byReason.set(reasons, names);
    }
    if (clock.monotonic() - started_ms > LOOK_MS_MAX) break;
  }
  const partial =
    checked < existing.length
      ? [`new PodSecurity enforce level only checked against the first ${checked} of ${existing.length} existing pods`]
      : [];
  if (byReason.size === 0) return partial;
  const lines = [...byReason].map(([reasons, names]) => `${namesText(names)}: ${reasons}`).toSorted();
  return [
    ...partial,
    `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${levelVersionText(enforce)}"`,
    ...lines,
  ];
}

/** Pods of one controller are alike: a bounded look sees more kinds of pods when it takes one of each first. */
function oneOfEachOwnerFirst(pods: readonly Pod[]): readonly Pod[] {
  const seen = new Set<string>();
  const [first, rest]: [Pod[], Pod[]] = [[], []];
  for (const pod of pods) {
    const owner = pod.metadata?.ownerReferences?.find((reference) => reference.controller === true)?.uid;
    (owner !== undefined && seen.has(owner) ? rest : first).push(pod);
    if (owner !== undefined) seen.add(owner);
  }
  return [...first, ...rest];
}

function namesText(names: readonly string[]): string {
  const [first = ''] = names.toSorted();
  if (names.length === 1) return first;
  return `${first} (and ${names.length - 1} other ${names.length === 2 ? 'pod' : 'pods'})`;
}
