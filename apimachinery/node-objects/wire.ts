/**
 * How the kind of an object is written on a worker's session: by name; for the first two also by the number they had
 * before.
 */
import { ObjectKind } from '../../proto/gen/navarch/node/v1/node.js';

const NUMBERS: Readonly<Record<string, ObjectKind>> = {
  ConfigMap: ObjectKind.OBJECT_KIND_CONFIG_MAP,
  Secret: ObjectKind.OBJECT_KIND_SECRET,
};

/** What a worker takes that does not say so: it goes by numbers. */
export const NUMBERED_KINDS: readonly string[] = Object.keys(NUMBERS);

export interface WireKind {
  readonly kind: ObjectKind;
  readonly kindName?: string | undefined;
}

export function wireKindOf(kind: string): Required<WireKind> {
  return { kind: NUMBERS[kind] ?? ObjectKind.OBJECT_KIND_UNSPECIFIED, kindName: kind };
}

/** Undefined: a kind that cannot be told, as of a number not known here. */
export function kindOfWire({ kind, kindName }: WireKind): string | undefined {
  return kindName ?? NUMBERED_KINDS.find((name) => NUMBERS[name] === kind);
}
