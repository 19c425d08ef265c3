/**
 * A walk over a value beside its schema, for what the schema marks here and there: parts below which nothing is marked
 * are passed over.
 */
import type { Work } from '../../platform/work.js';
import { FieldPath } from '../schema/path.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { FIELD_ERRORS_MAX } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';

/** What is wrong with one value, not with those below it. */
export type Look = (schema: Schema, value: unknown, path: FieldPath) => Work<readonly FieldError[]>;

export class SchemaWalk {
  readonly #isMarked: (schema: Schema) => boolean;
  readonly #known = new WeakMap<Schema, boolean>();

  constructor(isMarked: (schema: Schema) => boolean) {
    this.#isMarked = isMarked;
  }

  /** Looks at each value before those below it. At most FIELD_ERRORS_MAX errors. */
  *errors(schema: Schema, value: unknown, resolver: SchemaResolver, look: Look): Work<FieldError[]> {
    const errors: FieldError[] = [];
    const path = new FieldPath();
    const hasMarks = (known: Schema): boolean => this.#hasMarks(known);
    function* visit(declared: Schema, inner: unknown): Work<void> {
      const known = resolver.resolve(declared);
      if (errors.length >= FIELD_ERRORS_MAX || !hasMarks(known)) return;
      errors.push(...(yield* look(known, inner, path)));
      if (Array.isArray(inner)) {
        for (const [index, item] of known.items === undefined ? [] : inner.entries())
          yield* below(index, known.items ?? {}, item);
      } else if (isObject(inner)) {
        for (const name of Object.keys(inner)) {
          const property = resolver.property(known, name);
          const isField = known.properties !== undefined && Object.hasOwn(known.properties, name);
          if (property !== undefined) yield* below(isField ? name : { key: name }, property, inner[name]);
        }
      }
    }
    function* below(part: Parameters<FieldPath['push']>[0], declared: Schema, inner: unknown): Work<void> {
      path.push(part);
      yield* visit(declared, inner);
      path.pop();
    }
    yield* visit(schema, value);
    return errors.slice(0, FIELD_ERRORS_MAX);
  }

  #hasMarks(schema: Schema, seen = new Set<Schema>()): boolean {
    const answer = this.#known.get(schema);
    if (answer !== undefined) return answer;
    if (seen.has(schema)) return false;
    seen.add(schema);
    const children = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
    const found =
      this.#isMarked(schema) ||
      children.some((child) => child !== undefined && child.ref === undefined && this.#hasMarks(child, seen));
    this.#known.set(schema, found);
    return found;
  }
}
