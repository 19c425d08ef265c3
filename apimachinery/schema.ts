/**
 * A structural schema: what validation, pruning, defaulting, strategic merge, server-side apply and OpenAPI need to
 * know about a type. Built-in kinds compile to it from the facts of Kubernetes, CRDs from their openAPIV3Schema.
 */

export interface Schema {
  /**
   * Name of a definition to use in this one's place, as `io.k8s.api.core.v1.PodSpec`. The list facts beside it stay
   * valid.
   */
  readonly ref?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  /** int32, int64, double, byte, date-time, int-or-string, quantity, ... */
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  /** Values of a map. */
  readonly additionalProperties?: Schema;
  /** Anything goes below this point (RawExtension, x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown?: boolean;
  /** A whole object with apiVersion, kind and metadata stands here. */
  readonly embeddedResource?: boolean;
  /** x-kubernetes-int-or-string */
  readonly intOrString?: boolean;
  readonly nullable?: boolean;
  /** Of a property of a built-in kind: what the field is when it is empty (schema/encoding.ts). Absent: a pointer. */
  readonly encoding?: Encoding;

  /** x-kubernetes-list-type; a list without one is atomic. */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  /** x-kubernetes-map-type of an object; granular when absent. */
  readonly mapType?: 'atomic' | 'granular';
  /** x-kubernetes-patch-strategy, as `merge`, `replace`, `retainKeys`, `merge,retainKeys`. */
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  /** x-kubernetes-unions discriminators are not kept; strategies know them. */

  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  /** x-kubernetes-validations (KEP-2876). */
  readonly validations?: readonly CelRule[];
  readonly description?: string;
  /** `additionalProperties: true`: said by preserveUnknown too, and published in its own word. */
  readonly anyProperties?: boolean;
  /** `additionalProperties: false`: a property that is not named is refused. */
  readonly closed?: boolean;
  /** Of properties that are not named nothing is known: what is in them is dropped, they are not. */
  readonly prunesBelow?: boolean;
  /**
   * Of apiVersion, kind and metadata at the root: what the definition says of them. It is held against values, nothing
   * more.
   */
  readonly given?: Schema;
  /** Published, and nothing more. */
  readonly title?: string;
  readonly example?: unknown;
  readonly externalDocs?: unknown;
}

export type Encoding = 'omit' | 'null' | 'struct' | 'zero';

export interface CelRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}
