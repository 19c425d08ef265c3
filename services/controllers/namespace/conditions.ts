/** What a namespace that is being deleted says of its content: five conditions, always all of them. Pure functions. */
import type { NamespaceCondition } from '../../../apimachinery/gen/types.js';
import { withCondition } from '../lib/conditions.js';

/** What one look at the content of a namespace found. */
export interface Remaining {
  /** `pods.` or `deployments.apps` -> objects that are left. */
  readonly resources: ReadonlyMap<string, number>;
  /** Finalizer -> objects that wait for it. */
  readonly finalizers: ReadonlyMap<string, number>;
  /** Why the kinds served could not be found out; undefined: they could. */
  readonly discoveryError: string | undefined;
  /** What could not be deleted, or is left though nothing holds it. */
  readonly failures: readonly string[];
}

interface Fault {
  readonly reason: string;
  readonly message: string;
}

interface Row {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  fault(remaining: Remaining): Fault | undefined;
}

/** In ascending order, so that the same state reads the same. */
const listed = (counts: ReadonlyMap<string, number>, what: (name: string, count: number) => string) =>
  [...counts]
    .map(([name, count]) => what(name, count))
    .sort((a, b) => (a < b ? -1 : 1))
    .join(', ');

const ROWS: readonly Row[] = [
  {
    type: 'NamespaceDeletionDiscoveryFailure',
    reason: 'ResourcesDiscovered',
    message: 'All resources successfully discovered',
    fault: ({ discoveryError }) =>
      discoveryError === undefined ? undefined : { reason: 'DiscoveryFailed', message: discoveryError },
  },
  {
    type: 'NamespaceDeletionGroupVersionParsingFailure',
    reason: 'ParsedGroupVersions',
    message: 'All legacy kube types successfully parsed',
    fault: () => undefined,
  },
  {
    type: 'NamespaceDeletionContentFailure',
    reason: 'ContentDeleted',
    message: 'All content successfully deleted, may be waiting on finalization',
    fault: ({ failures }) =>
      failures.length === 0
        ? undefined
        : {
            reason: 'ContentDeletionFailed',
            message: `Failed to delete all resource types, ${failures.length} remaining: ${failures.toSorted().join(', ')}`,
          },
  },
  {
    type: 'NamespaceContentRemaining',
    reason: 'ContentRemoved',
    message: 'All content successfully removed',
    fault: ({ resources }) =>
      resources.size === 0
        ? undefined
        : {
            reason: 'SomeResourcesRemain',
            message: `Some resources are remaining: ${listed(resources, (name, count) => `${name} has ${count} resource instances`)}`,
          },
  },
  {
    type: 'NamespaceFinalizersRemaining',
    reason: 'ContentHasNoFinalizers',
    message: 'All content-preserving finalizers finished',
    fault: ({ finalizers }) =>
      finalizers.size === 0
        ? undefined
        : {
            reason: 'SomeFinalizersRemain',
            message: `Some content in the namespace has finalizers remaining: ${listed(finalizers, (name, count) => `${name} in ${count} resource instances`)}`,
          },
  },
];

export function conditionsOf(
  before: readonly NamespaceCondition[],
  remaining: Remaining,
  now: string,
): NamespaceCondition[] {
  let conditions = before;
  for (const { type, reason, message, fault } of ROWS) {
    const found = fault(remaining);
    conditions = withCondition<NamespaceCondition>(conditions, {
      type,
      status: found === undefined ? 'False' : 'True',
      reason: found?.reason ?? reason,
      message: found?.message ?? message,
      lastTransitionTime: now,
    });
  }
  return [...conditions];
}
