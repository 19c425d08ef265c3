/** Objects of built-in kinds that an older version of the server, or somebody else, has stored. */
import type { KubeObject } from '../object.js';
import { normalise } from '../schema/encoding.js';
import { resolverOf } from '../schema/resolve.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { JsonObject } from '../value.js';
import { builtInScheme } from './builtin.js';
import type { MutableScheme } from './scheme.js';

let builtIn: MutableScheme | undefined;

/** Resolves what schemas of custom resources may refer to. */
export function builtInResolver(): SchemaResolver {
  return resolverOf((builtIn ??= builtInScheme()));
}

/**
 * Gives the object, in place, the defaults and the form that it would have if it were written today. Others stay as
 * they are.
 */
export function upgradeStored(object: KubeObject): void {
  builtIn ??= builtInScheme();
  const [version = '', group = ''] = (object.apiVersion ?? '').split('/').toReversed();
  const kind = builtIn.byKind({ group, version, kind: object.kind ?? '' });
  if (kind === undefined) return;
  kind.strategy.setDefaults?.(object);
  normalise(object as JsonObject, kind.schema, resolverOf(builtIn));
}
