/** What changed, as managers of other versions of the kind see it: paths are named in each manager's version. */
import type { KubeObject } from '../object.js';
import type { Schema } from '../schema.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { JsonObject } from '../value.js';
import { compareObjects } from './compare.js';
import type { Comparison } from './compare.js';
import type { Manager } from './managers.js';

/** An object as another version shows it. */
export interface VersionView {
  readonly object: KubeObject;
  readonly schema: Schema;
}

/** What must be known of a kind to compare and merge its objects. */
export interface KindFacts {
  readonly schema: Schema;
  readonly resolver: SchemaResolver;
  /**
   * The object as another version of the kind shows it; undefined for one that is not served. Default: all versions
   * have one shape.
   */
  readonly inVersion?: (apiVersion: string, object: KubeObject) => VersionView | undefined;
}

export interface VersionChange {
  readonly before: KubeObject;
  readonly after: KubeObject;
  /** The version of both, and what changed in it. */
  readonly apiVersion: string;
  readonly difference: Comparison;
}

/**
 * For each manager the change in its version; undefined where the version is not served: nobody can tell any more what
 * such a manager has.
 */
export function changesByVersion(
  change: VersionChange,
  { resolver, inVersion }: KindFacts,
): (manager: Pick<Manager, 'apiVersion'>) => Comparison | undefined {
  const known = new Map<string, Comparison | undefined>([[change.apiVersion, change.difference]]);
  return ({ apiVersion }) => {
    if (inVersion === undefined) return change.difference;
    if (!known.has(apiVersion)) {
      const [before, after] = [inVersion(apiVersion, change.before), inVersion(apiVersion, change.after)];
      known.set(
        apiVersion,
        before === undefined || after === undefined
          ? undefined
          : compareObjects(before.object as JsonObject, after.object as JsonObject, after.schema, resolver),
      );
    }
    return known.get(apiVersion);
  };
}
