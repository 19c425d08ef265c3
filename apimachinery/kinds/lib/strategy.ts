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

export type KeptMetadata = 'labels' | 'annotations' | 'finalizers' | 'ownerReferences';
/** All that a client may choose in metadata (metav1.ResetObjectMetaForStatus). */
export const ALL_METADATA: readonly KeptMetadata[] = ['labels', 'annotations', 'finalizers', 'ownerReferences'];

/** Usually 1 at creation, and one more when anything but metadata and status changes. */
interface GenerationRule {
  /** Undefined at creation: the first change makes it 1. */
  readonly fromNothing?: true;
  /** It stays what it was at creation. */
  readonly fixed?: true;
  /** It grows when this changes, too. */
  readonly alsoWith?: 'labels' | 'annotations';
}

/** What a strategy says in its own words. */
type StrategyFacts = Pick<
  Strategy,
  | 'validatesAll'
  | 'metadataLast'
  | 'defaultGracePeriodSeconds'
  | 'allowCreateOnUpdate'
  | 'allowUnconditionalUpdate'
  | 'returnsDeleted'
>;

export interface StrategyParts extends StrategyFacts {
  /** The kind has a status subresource: status is dropped on create and kept on plain updates. */
  readonly status?: boolean;
  /**
   * Metadata that a write to the status subresource leaves as it is stored. Kinds from before this was a rule let some
   * or all of it pass, and clients use that: the list of each kind is kube-apiserver's.
   */
  readonly statusKeeps?: readonly KeptMetadata[];
  /** metadata.generation, where the kind counts it. */
  readonly generation?: true | GenerationRule;
  readonly defaults?: (draft: Rec) => void;
  /** After the common steps of a create. */
  readonly create?: (draft: Rec, context: StrategyContext) => void;
  /** After the common steps of an update of the main resource or of a subresource. */
  readonly update?: (draft: Rec, old: Rec, context: StrategyContext) => void;
  readonly validate?: (object: Rec, context?: StrategyContext) => FieldError[];
  /** Instead of `validate`, in slices. */
  readonly validateWork?: (object: Rec, context?: StrategyContext) => Work<FieldError[]>;
  /** What an update may not do besides what `validate` finds: the registry runs both. */
  readonly validateUpdate?: (object: Rec, old: Rec, context?: StrategyContext) => FieldError[];
}

/** Objects are only known to be JSON objects here; every field is read with care. */
const open = (object: KubeObject): Rec => object as Rec;

const NOT_SPEC = new Set(['apiVersion', 'kind', 'metadata', 'status']);

/** Everything a user decides, apart from metadata, is the same. */
function sameSpec(a: Rec, b: Rec): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const name of names) if (!NOT_SPEC.has(name) && !same(field(a, name), field(b, name), name)) return false;
  return true;
}

/** A status update changes status and what metadata allows, nothing else. */
function keepAllButStatus(draft: Rec, old: Rec, keeps: readonly KeptMetadata[]): void {
  for (const name of Object.keys(draft)) if (!NOT_SPEC.has(name)) delete draft[name];
  for (const name of Object.keys(old)) if (!NOT_SPEC.has(name)) put(draft, name, clone(old[name]));
  keepMetadata(draft, old, keeps);
}

/** What a client sent of these fields is forgotten. */
export function keepMetadata(draft: Rec, old: Rec, keeps: readonly KeptMetadata[]): void {
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
  if (parts.generation !== undefined) grow(parts.generation === true ? {} : parts.generation, draft, old, context);
}

function grow(rule: GenerationRule, draft: Rec, old: Rec, context: StrategyContext): void {
  const [metadata, stored] = [field(draft, 'metadata'), field(old, 'metadata')];
  const before = Number(field(stored, 'generation') ?? 0);
  // An object on its way out gets a new generation too, so that its controller looks at it again.
  const deleting =
    field(stored, 'deletionTimestamp') === undefined && field(metadata, 'deletionTimestamp') !== undefined;
  const { alsoWith, fixed } = rule;
  const changed =
    fixed !== true &&
    context.subresource !== 'status' &&
    (!sameSpec(draft, old) ||
      (alsoWith !== undefined && !same(field(metadata, alsoWith) ?? {}, field(stored, alsoWith) ?? {})));
  setGeneration(draft, changed || deleting ? before + 1 : field(stored, 'generation'));
}

export function strategyOf(parts: StrategyParts): Strategy {
  const {
    defaults,
    status,
    generation,
    create,
    update: _inPrepareUpdate,
    validate: whole,
    validateWork,
    validateUpdate,
    ...facts
  } = parts;
  const validate =
    whole ??
    (validateWork === undefined
      ? undefined
      : (object: Rec, context?: StrategyContext) => finish(validateWork(object, context)));
  return {
    ...facts,
    ...(defaults === undefined ? {} : { setDefaults: (draft: KubeObject) => defaults(open(draft)) }),
    prepareForCreate: (draft, context) => {
      if (status === true) delete open(draft)['status'];
      if (generation !== undefined && (generation === true || generation.fromNothing !== true))
        setGeneration(open(draft), 1);
      create?.(open(draft), context);
    },
    prepareForUpdate: (draft, old, context) => prepareUpdate(parts, open(draft), open(old), context),
    ...(validate === undefined
      ? {}
      : { validate: (object: KubeObject, context?: StrategyContext) => validate(open(object), context) }),
    ...(validateWork === undefined
      ? {}
      : { validateWork: (object: KubeObject, context?: StrategyContext) => validateWork(open(object), context) }),
    ...(validateUpdate === undefined
      ? {}
      : {
          validateUpdate: (object: KubeObject, old: KubeObject, context?: StrategyContext) =>
            validateUpdate(open(object), open(old), context),
        }),
  };
}
