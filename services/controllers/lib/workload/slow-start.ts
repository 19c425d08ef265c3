/** Creates many objects in growing batches (k8s.io/kubernetes/pkg/controller/replicaset slowStartBatch). */

interface SlowStartOutcome<T> {
  readonly made: readonly T[];
  /** The first failure; the batches after it were not tried. */
  readonly failure: Error | undefined;
}

/**
 * Calls `make` for each draft, in batches of 1, 2, 4, ...: when a quota or an admission plugin refuses, it refuses a
 * few requests and not hundreds. A batch ends before the next one begins.
 */
export async function slowStart<D, T>(
  drafts: readonly D[],
  make: (draft: D) => Promise<T>,
): Promise<SlowStartOutcome<T>> {
  const made: T[] = [];
  for (let from = 0, size = 1; from < drafts.length; from += size, size *= 2) {
    const results = await Promise.allSettled(drafts.slice(from, from + size).map(make));
    for (const result of results) if (result.status === 'fulfilled') made.push(result.value);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) return { made, failure: failed.reason as Error };
  }
  return { made, failure: undefined };
}
