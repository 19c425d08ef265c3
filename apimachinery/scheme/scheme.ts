/**
 * The table of kinds a server knows.
 *
 * In: rows, from the compiled facts at start and from CRDs while the server runs. Out: look-ups by resource and by
 * kind, each one Map access, since every request makes one. It holds facts only: it validates nothing, converts
 * nothing, and knows no kind by name. Whoever caches what it derived from rows compares `generation`.
 */
import { InvariantError, present } from '../../platform/assert.js';
import type { Kind, Scheme } from '../kind.js';
import { apiVersionOf } from '../object.js';
import type { GroupVersionKind, ResourceId } from '../object.js';
import type { Schema } from '../schema.js';

export interface MutableScheme extends Scheme {
  /** Grows with every change: what was derived from rows of an older generation must be derived anew. */
  readonly generation: number;
  /** The kinds of one group and version, in discovery order. */
  ofGroupVersion(group: string, version: string): readonly Kind[];
  /** `apps/v1`, `v1`, ...: preferred versions first, in discovery order. */
  groupVersions(): readonly string[];
  /** Whether the row came with the program, and not from a CRD. Strategic merge patches are for these only. */
  isBuiltIn(id: ResourceId): boolean;
  /** Adds a row, or replaces the one with the same group, version and resource. Built-in rows cannot be replaced. */
  add(kind: Kind, definitions?: Readonly<Record<string, Schema>>): void;
  /** Removes a row that `add` brought; false when there is none. Built-in rows stay. */
  remove(id: ResourceId): boolean;
}

const resourceKey = (id: ResourceId): string => `${id.group}/${id.version}/${id.resource}`;
const kindKey = (id: GroupVersionKind): string => `${id.group}/${id.version}/${id.kind}`;

export class KindTable implements MutableScheme {
  readonly #builtIn: readonly Kind[];
  readonly #definitions: (ref: string) => Schema | undefined;
  readonly #builtInKeys: ReadonlySet<string>;
  readonly #builtInKinds: ReadonlySet<string>;
  readonly #byResource = new Map<string, Kind>();
  readonly #byKind = new Map<string, Kind>();
  readonly #added = new Map<string, { readonly kind: Kind; readonly definitions: Readonly<Record<string, Schema>> }>();
  #addedDefinitions = new Map<string, Schema>();
  #kinds: readonly Kind[];
  #generation = 1;
  /** Rows came or went since the indexes were made. */
  #isStale = false;

  constructor(builtIn: readonly Kind[], definitions: (ref: string) => Schema | undefined) {
    this.#builtIn = builtIn;
    this.#definitions = definitions;
    this.#kinds = builtIn;
    this.#builtInKeys = new Set(builtIn.map(resourceKey));
    this.#builtInKinds = new Set(builtIn.map(kindKey));
    for (const kind of builtIn) this.#index(kind);
  }

  get generation(): number {
    return this.#generation;
  }

  byResource(id: ResourceId): Kind | undefined {
    this.#refresh();
    return this.#byResource.get(resourceKey(id));
  }

  byKind(id: GroupVersionKind): Kind | undefined {
    this.#refresh();
    return this.#byKind.get(kindKey(id));
  }

  kinds(): readonly Kind[] {
    this.#refresh();
    return this.#kinds;
  }

  ofGroupVersion(group: string, version: string): readonly Kind[] {
    return this.kinds().filter((kind) => kind.group === group && kind.version === version);
  }

  groupVersions(): readonly string[] {
    return [...new Set(this.kinds().map((kind) => apiVersionOf(kind)))];
  }

  definition(ref: string): Schema {
    this.#refresh();
    return present(this.#definitions(ref) ?? this.#addedDefinitions.get(ref), `the scheme holds no definition ${ref}`);
  }

  isBuiltIn(id: ResourceId): boolean {
    return this.#builtInKeys.has(resourceKey(id));
  }

  add(kind: Kind, definitions: Readonly<Record<string, Schema>> = {}): void {
    const key = resourceKey(kind);
    if (this.isBuiltIn(kind) || this.#builtInKinds.has(kindKey(kind))) {
      throw new InvariantError(`${key} is built in and cannot be replaced`);
    }
    this.#added.set(key, { kind, definitions });
    this.#changed();
  }

  remove(id: ResourceId): boolean {
    if (!this.#added.delete(resourceKey(id))) return false;
    this.#changed();
    return true;
  }

  #index(kind: Kind): void {
    this.#byResource.set(resourceKey(kind), kind);
    this.#byKind.set(kindKey(kind), kind);
  }

  #changed(): void {
    this.#generation += 1;
    this.#isStale = true;
  }

  /**
   * CRDs change rarely and look-ups are many: all indexes are made anew, once for all the versions that came or went
   * together.
   */
  #refresh(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#byResource.clear();
    this.#byKind.clear();
    this.#addedDefinitions = new Map();
    const added = [...this.#added.values()];
    for (const { kind, definitions } of added) {
      this.#index(kind);
      for (const [ref, schema] of Object.entries(definitions)) this.#addedDefinitions.set(ref, schema);
    }
    for (const kind of this.#builtIn) this.#index(kind);
    this.#kinds = [...this.#builtIn, ...added.map(({ kind }) => kind).sort(byGroupThenVersion)];
  }
}

function byGroupThenVersion(a: Kind, b: Kind): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return compareVersions(a.version, b.version) || (a.resource < b.resource ? -1 : 1);
}

const STAGES = ['alpha', 'beta', undefined];

/**
 * Orders versions as Kubernetes does: stable before beta before alpha, then the greater number; names of no such form
 * come last, by the alphabet (k8s.io/apimachinery/pkg/version). Negative: `a` is preferred.
 */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [parseVersion(a), parseVersion(b)];
  if (x === undefined || y === undefined) {
    if (x !== undefined) return -1;
    if (y !== undefined) return 1;
    return a === b ? 0 : a < b ? -1 : 1;
  }
  return y.stage - x.stage || y.major - x.major || y.minor - x.minor;
}

function parseVersion(text: string): { stage: number; major: number; minor: number } | undefined {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
  if (match === null) return undefined;
  return { stage: STAGES.indexOf(match[2]), major: Number(match[1]), minor: Number(match[3] ?? 0) };
}
