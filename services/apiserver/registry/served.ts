/** What is served, as it changes: kinds come and go with CustomResourceDefinitions alone. */
import type { ServedResource } from '../../../apimachinery/object-service.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import type { Clock } from '../../../platform/clock.js';

export interface ServedParts {
  readonly scheme: MutableScheme;
  readonly clock: Clock;
  /** Resolves when this member knows what was written before. */
  readonly fresh: () => Promise<void>;
  /** Says something whenever a definition may have changed. */
  readonly changes: () => AsyncIterable<unknown>;
}

/** Definitions that are created together are told together: each answer is the whole list. */
const GATHER_MS = 100;

export async function* served({
  scheme,
  clock,
  fresh,
  changes,
}: ServedParts): AsyncGenerator<readonly ServedResource[]> {
  await fresh();
  let told = scheme.generation;
  yield resourcesOf(scheme);
  for await (const _change of changes()) {
    if (scheme.generation === told) continue;
    await clock.sleep(GATHER_MS);
    told = scheme.generation;
    yield resourcesOf(scheme);
  }
}

function resourcesOf(scheme: MutableScheme): ServedResource[] {
  return scheme.kinds().map((row) => {
    const { group, version, resource, kind, namespaced, verbs, storagePrefix } = row;
    return { group, version, resource, kind, namespaced, verbs, stored: storagePrefix, builtIn: scheme.isBuiltIn(row) };
  });
}
