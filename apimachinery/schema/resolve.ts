/**
 * Follows `$ref`s, one step when asked and never more: schemas are recursive (JSONSchemaProps). What stands beside a
 * ref (list facts, patch facts, a default) stays valid and wins over the definition's own.
 */
import type { Scheme } from '../kind.js';
import type { Schema } from '../schema.js';

export class SchemaResolver {
  readonly #definition: (ref: string) => Schema;
  readonly #resolved = new WeakMap<Schema, Schema>();

  constructor(scheme: Pick<Scheme, 'definition'>) {
    this.#definition = (ref) => scheme.definition(ref);
  }

  /** A schema without ref at its root; the same object each time for the same schema. */
  resolve(schema: Schema): Schema {
    if (schema.ref === undefined) return schema;
    let resolved = this.#resolved.get(schema);
    if (resolved === undefined) {
      const { ref, ...beside } = schema;
      const target = this.resolve(this.#definition(ref));
      resolved = Object.keys(beside).length === 0 ? target : { ...target, ...beside };
      this.#resolved.set(schema, resolved);
    }
    return resolved;
  }

  /** The schema of a property, unresolved; undefined when the schema has none of that name. */
  property(schema: Schema, name: string): Schema | undefined {
    const { properties } = schema;
    if (properties !== undefined && Object.hasOwn(properties, name)) return properties[name];
    return schema.additionalProperties;
  }
}

const resolvers = new WeakMap<Pick<Scheme, 'definition'>, SchemaResolver>();

/** The one resolver of a scheme, so that what it resolved is shared. */
export function resolverOf(scheme: Pick<Scheme, 'definition'>): SchemaResolver {
  let resolver = resolvers.get(scheme);
  if (resolver === undefined) {
    resolver = new SchemaResolver(scheme);
    resolvers.set(scheme, resolver);
  }
  return resolver;
}

/** `PodSpec` of `io.k8s.api.core.v1.PodSpec`. */
export function simpleNameOf(ref: string): string {
  return ref.slice(ref.lastIndexOf('.') + 1);
}
