import type { CachedObject } from './cached-object.js';

/** What a list or watch asks for: a namespace, and objects that its selectors match. */
export interface Selection {
  /** Absent: all. */
  readonly namespace?: string | undefined;
  /** Set when a field selector pins it: then no other object need be looked at. */
  readonly name?: string | undefined;
  /** Absent: everything in scope. */
  readonly matches?: ((object: CachedObject) => boolean) | undefined;
}

export function selects(selection: Selection, object: CachedObject | undefined): boolean {
  if (object === undefined) return false;
  const { location } = object;
  if (selection.namespace !== undefined && selection.namespace !== location.namespace) return false;
  if (selection.name !== undefined && selection.name !== location.name) return false;
  return selection.matches === undefined || selection.matches(object);
}
