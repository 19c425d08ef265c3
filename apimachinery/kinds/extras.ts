/**
 * What a kind has beyond the compiled facts: one entry for each resource that needs it, one file for each group. The
 * scheme joins them with the rows of apimachinery/data; nothing else reads them.
 */
import type { Kind, Printer, ScaleFacts, Strategy } from '../kind.js';

export interface KindExtras {
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** The key prefix below `/registry/`, as `services/specs`; the plural when absent. */
  readonly storagePrefix?: string;
  readonly fieldSelectors?: Kind['fieldSelectors'];
  readonly fieldRefusal?: NonNullable<Kind['fieldRefusal']>;
  readonly printer?: Printer;
  readonly strategy?: Strategy;
  readonly scale?: ScaleFacts;
  /** The version objects are stored in; the row's own when absent. */
  readonly storageVersion?: string;
  readonly deprecationWarning?: string;
  readonly complaintGroup?: string;
  readonly conversion?: NonNullable<Kind['conversion']>;
}

/**
 * `apps/deployments` speaks for every version of a resource, `autoscaling/v1/horizontalpodautoscalers` for one and wins
 * field by field. Core resources have an empty group: `/pods`, `/v1/pods`.
 */
export type ExtrasKey = `${string}/${string}` | `${string}/${string}/${string}`;

export type ExtrasTable = Readonly<Record<ExtrasKey, KindExtras>>;
