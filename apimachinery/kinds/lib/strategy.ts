/**
 * Building blocks of strategies: spec and status apart, generation, and what is common to all kinds
 * (k8s.io/apiserver/pkg/registry/rest and the strategies in k8s.io/kubernetes/pkg/registry).
 */
import { finish } from '../../../platform/work.js';
import type { Work } from '../../../platform/work.js';
import type { KubeObject } from '../../object.js';
import type { Strategy, StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { clone, field, isRec, put, same, type Rec } from './value.js';

export type Draft = KubeObject & Rec;

export type KeptMetadata = 'labels' | 'annotations' | 'finalizers' | 'ownerReferences';
/** All that a client may choose in metadata (metav1.ResetObjectMetaForStatus). */
export const ALL_METADATA: readonly KeptMetadata[] = ['labels', 'annotations', 'finalizers', 'ownerReferences'];

export interface StrategyParts {
  /** The kind has a status subresource: status is dropped on create and kept on plain updates. */
  readonly status?: boolean;
  /**
   * Metadata that a write to the status subresource leaves as it is stored. Kinds from before this was a rule let some or all
   * of it pass, and clients use that: the list of each kind is kube-apiserver's.
   */
  readonly statusKeeps?: readonly KeptMetadata[];
  /** metadata.generation is 1 at creation and grows when anything but metadata and status changes; `changes`: there is none before the first change. */
  readonly generation?: boolean | 'changes';
  readonly defaults?: (draft: Rec) => void;
  /** After the common steps of a create. */
  readonly create?: (draft: Rec, context: StrategyContext) => void;
  /** After the common steps of an update of the main resource or of a subresource. */
  readonly update?: (draft: Rec, old: Rec, context: StrategyContext) => void;
  readonly validate?: (object: Rec, context?: StrategyContext) => FieldError[];
  /** Instead of `validate`, in slices. */
  readonly validateWork?: (object: Rec, context?: StrategyContext) => Work<FieldError[]>;
  /** `validate` is complete: the schema is not asked. */
  readonly validatesAll?: boolean;
  /** Metadata is judged only when `validate` finds nothing. */
  readonly metadataLast?: boolean;
  /** What an update did wrong in metadata is said twice. */
  readonly metadataTwice?: boolean;
  /** What an update may not do besides what `validate` finds: the registry runs both. */
  readonly validateUpdate?: (object: Rec, old: Rec, context?: StrategyContext) => FieldError[];
  readonly defaultGracePeriodSeconds?: (object: KubeObject) => number | undefined;
  readonly allowCreateOnUpdate?: boolean;
  readonly allowUnconditionalUpdate?: boolean;
}

/** Objects are only known to be JSON objects here; every field is read with care. */
const open = (object: KubeObject): Rec => object as Rec;

const NOT_SPEC = new Set(['apiVersion', 'kind', 'metadata', 'status']);

/** Everything a user decides, apart from metadata, is the same. */
export function sameSpec(a: Rec, b: Rec): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const name of names) if (!NOT_SPEC.has(name) && !same(field(a, name), field(b, name), name)) return false;
  return true;
}

/** A status update changes status and what metadata allows, nothing else. */
function keepAllButStatus(draft: Rec, old: Rec, keeps: readonly KeptMetadata[]): void {
  for (const name of Object.keys(draft)) if (!NOT_SPEC.has(name)) delete draft[name];
  for (const name of Object.keys(old)) if (!NOT_SPEC.has(name)) put(draft, name, clone(old[name]));
  const [metadata, stored] = [field(draft, 'metadata'), field(old, 'metadata')];
  if (!isRec(metadata)) return;
  for (const name of keeps) {
    const value = field(stored, name);
    if (value === undefined) delete metadata[name];
    else put(metadata, name, clone(value));
  }
}

function setGeneration(draft: Rec, value: unknown): void {
  const metadata = field(draft, 'metadata');
  if (isRec(metadata)) put(metadata, 'generation', value);
}

function prepareUpdate(parts: StrategyParts, draft: Rec, old: Rec, context: StrategyContext): void {
  if (parts.status === true) {
    if (context.subresource === 'status') keepAllButStatus(draft, old, parts.statusKeeps ?? []);
    else put(draft, 'status', clone(field(old, 'status')));
  }
  parts.update?.(draft, old, context);
  if (parts.generation !== undefined && parts.generation !== false) {
    const before = Number(field(field(old, 'metadata'), 'generation') ?? 0);
    // An object on its way out gets a new generation too, so that its controller looks at it again.
    const deleting = field(field(old, 'metadata'), 'deletionTimestamp') === undefined
      && field(field(draft, 'metadata'), 'deletionTimestamp') !== undefined;
    const changed = context.subresource !== 'status' && !sameSpec(draft, old);
    setGeneration(draft, changed || deleting ? before + 1 : field(field(old, 'metadata'), 'generation'));
  }
}

export function strategyOf(parts: StrategyParts): Strategy {
  const { defaults, validateWork, validatesAll, metadataLast, metadataTwice, validateUpdate, defaultGracePeriodSeconds, allowCreateOnUpdate, allowUnconditionalUpdate } = parts;
  const validate = parts.validate ?? (validateWork === undefined ? undefined : (object: Rec, context?: StrategyContext) => finish(validateWork(object, context)));
  return {
    ...(defaults === undefined ? {} : { setDefaults: (draft: KubeObject) => defaults(open(draft)) }),
    prepareForCreate: (draft, context) => {
      if (parts.status === true) delete open(draft)['status'];
      if (parts.generation === true) setGeneration(open(draft), 1);
      parts.create?.(open(draft), context);
    },
    prepareForUpdate: (draft, old, context) => prepareUpdate(parts, open(draft), open(old), context),
    ...(validate === undefined ? {} : { validate: (object: KubeObject, context?: StrategyContext) => validate(open(object), context) }),
    ...(validateWork === undefined ? {} : { validateWork: (object: KubeObject, context?: StrategyContext) => validateWork(open(object), context) }),
    ...(validatesAll === undefined ? {} : { validatesAll }),
    ...(metadataLast === undefined ? {} : { metadataLast }),
    ...(metadataTwice === undefined ? {} : { metadataTwice }),
    ...(validateUpdate === undefined ? {} : {
      validateUpdate: (object: KubeObject, old: KubeObject, context?: StrategyContext) => validateUpdate(open(object), open(old), context),
    }),
    ...(defaultGracePeriodSeconds === undefined ? {} : { defaultGracePeriodSeconds }),
    ...(allowCreateOnUpdate === undefined ? {} : { allowCreateOnUpdate }),
    ...(allowUnconditionalUpdate === undefined ? {} : { allowUnconditionalUpdate }),
  };
}
