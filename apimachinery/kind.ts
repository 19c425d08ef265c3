/**
 * A kind is a row of facts plus, where it needs one, a small strategy. The registry and the fronts read rows and know
 * no kind by name; CRDs make rows at run time by the same path.
 */
import type { Work } from '../platform/work.js';
import type { UserInfo } from './object-service.js';
import type { GroupVersionKind, KubeObject, ResourceId } from './object.js';
import type { Schema } from './schema.js';
import type { FieldError } from './status.js';

export interface PrinterColumn {
  readonly name: string;
  /** OpenAPI type: string, integer, number, boolean, date. */
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  /** 0: always shown; greater: only with `-o wide`. */
  readonly priority: number;
}

export interface Printer {
  readonly columns: readonly PrinterColumn[];
  /** One cell per column: string, number, boolean or null. `now_ms` is for ages. */
  row(object: KubeObject, now_ms: number): readonly unknown[];
  /** Order of the rows of a list; that of the list when absent. */
  compare?(a: KubeObject, b: KubeObject): number;
}

/** What a strategy may know beyond the objects themselves. */
export interface StrategyContext {
  readonly user: UserInfo;
  readonly now_ms: number;
  /** A fresh version 4 UUID. */
  uuid(): string;
  readonly subresource?: string;
  /** Labels of the namespace that holds the object, as far as the server knows them. */
  namespaceLabels?(): Readonly<Record<string, string>>;
  /** In `validate` of an update: the object as it is stored. */
  readonly old?: KubeObject;
}

/**
 * Behaviour of one kind, after k8s.io/apiserver's rest.RESTCreateStrategy and friends. Functions that prepare change
 * the draft in place; functions that validate never do.
 */
export interface Strategy {
  /** Defaults that the schema cannot express. Runs on every write, and must be idempotent. */
  setDefaults?(draft: KubeObject): void;
  prepareForCreate?(draft: KubeObject, context: StrategyContext): void;
  prepareForUpdate?(draft: KubeObject, old: KubeObject, context: StrategyContext): void;
  validate?(object: KubeObject, context?: StrategyContext): FieldError[];
  /** `validate` in slices, where it may take long. */
  validateWork?(object: KubeObject, context?: StrategyContext): Work<FieldError[]>;
  /**
   * `validate` is complete: nothing but it judges the object. Without it, the schema's required fields and list keys
   * count too.
   */
  readonly validatesAll?: boolean;
  /** Metadata is judged only when `validate` finds nothing. */
  readonly metadataLast?: boolean;
  /**
   * The context tells the subresource: a pod's `resize` and `ephemeralcontainers` allow what a plain update must
   * refuse.
   */
  validateUpdate?(object: KubeObject, old: KubeObject, context?: StrategyContext): FieldError[];
  /**
   * Seconds between the request to delete and the removal, when the client named none (pods: 30). Undefined: at once.
   */
  defaultGracePeriodSeconds?(object: KubeObject): number | undefined;
  /**
   * Fields of metadata that a write to the status subresource leaves as they are stored, and nobody comes to own by
   * one.
   */
  readonly statusKeeps?: readonly string[];
  /** Deletion at once is answered with the object that went, not with a Status. */
  readonly returnsDeleted?: boolean;
  /** An object may be created by a PUT to a name that does not exist. */
  readonly allowCreateOnUpdate?: boolean;
  /** A PUT without resourceVersion is taken as unconditional. Default: true. */
  readonly allowUnconditionalUpdate?: boolean;
}

export interface ScaleFacts {
  /** Dotted paths from the object's root, as `.spec.replicas`. */
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  /** Path of a string, or of a LabelSelector that is rendered as one. */
  readonly labelSelectorPath?: string;
}

export interface SubresourceFacts {
  /** `status`, `scale`, `eviction`, `log`, ... */
  readonly name: string;
  /** The kind of its body, where that is not the parent's. */
  readonly kind: GroupVersionKind;
  readonly verbs: readonly string[];
}

export interface Kind extends GroupVersionKind, ResourceId {
  readonly listKind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** create delete deletecollection get list patch update watch */
  readonly verbs: readonly string[];
  readonly subresources: readonly SubresourceFacts[];
  readonly scale?: ScaleFacts;
  /** The key prefix below `/registry/`, as `pods` or `services/specs`; for CRDs `<group>/<resource>`. */
  readonly storagePrefix: string;
  /** The version objects are stored in; equals `version` unless a conversion exists. */
  readonly storageVersion: string;
  /** The root of the schema; `$ref`s inside it name definitions of the scheme. */
  readonly schema: Schema;
  /** Selectable field label -> value in an object ('' when unset), besides metadata.name and metadata.namespace. */
  readonly fieldSelectors: Readonly<Record<string, (object: KubeObject) => string>>;
  /** What is said of a field that cannot be selected; the common sentence when absent. */
  readonly fieldRefusal?: (field: string) => string;
  readonly printer?: Printer;
  readonly strategy: Strategy;
  /** Told in a warning to whoever uses this version. */
  readonly deprecationWarning?: string;
  /** The group that refusals of an object name, where it is not the row's own: that of Kubernetes' internal type. */
  readonly complaintGroup?: string;
  /** The row of a CRD: objects are pruned, defaulted and validated by the whole of their schema, CEL rules included. */
  readonly isCustom?: boolean;
  /** Between `storageVersion` and `version`; absent when the two have the same shape. */
  readonly conversion?: {
    fromStorage(object: KubeObject): KubeObject;
    toStorage(object: KubeObject): KubeObject;
  };
}

/** The kinds a server knows. Built-in rows never change; rows of CRDs come and go. */
export interface Scheme {
  byResource(id: ResourceId): Kind | undefined;
  byKind(id: GroupVersionKind): Kind | undefined;
  /** Preferred versions first, in discovery order. */
  kinds(): readonly Kind[];
  /** Follows one `$ref`; throws InvariantError for a name the scheme does not hold. */
  definition(ref: string): Schema;
}
