/**
 * The one place where strategic merge here knows more than upstream's: a Service may have port 53 for TCP and for UDP,
 * though the merge key is the port alone (kubernetes/kubernetes#39188). Upstream merges a change of the second into the
 * first, and one of the two is lost. The other keys of the list tell such twins apart, where twins exist or
 * `$setElementOrder` names them.
 */
import { encodeJson } from '../json-value.js';
import { getOwn } from '../value.js';
import type { JsonObject } from '../value.js';

export interface TwinFacts {
  /** Keys beside the merge key; none for most lists. */
  readonly otherKeys: readonly string[];
  defaultOf(key: string): unknown;
}

/** An item, and where the merged list has it. */
export interface Twin {
  item: JsonObject;
}

/** Items with the same merge key, found by their other keys. */
export class Twins {
  readonly #facts: TwinFacts;
  readonly #all: Twin[] = [];
  /** The first of those with the same other keys, and how it is found; undefined where the list has no other keys. */
  readonly #exact: Map<string, Twin> | undefined;
  readonly #texts: Map<Twin, string> | undefined;

  constructor(facts: TwinFacts) {
    this.#facts = facts;
    if (facts.otherKeys.length === 0) return;
    this.#exact = new Map();
    this.#texts = new Map();
  }

  add(twin: Twin): void {
    this.#all.push(twin);
    this.#index(twin);
  }

  /** Merging may give an item other keys. */
  changed(twin: Twin): void {
    const before = this.#texts?.get(twin);
    if (before === undefined || before === textOf(twin.item, this.#facts.otherKeys, this.#facts)) return;
    if (this.#exact?.get(before) === twin) this.#exact.delete(before);
    this.#index(twin);
  }

  /** Which of the items a patch's item changes; undefined when it is a new one. `wanted`: how many there shall be. */
  counterpart(item: JsonObject, wanted: number): Twin | undefined {
    const [first] = this.#all;
    const { otherKeys } = this.#facts;
    if (first === undefined || this.#exact === undefined) return first;
    const exact = this.#exact.get(textOf(item, otherKeys, this.#facts));
    if (exact !== undefined) return exact;
    const namesOther = otherKeys.some((key) => Object.hasOwn(item, key));
    return namesOther && (this.#all.length > 1 || wanted > this.#all.length) ? undefined : first;
  }

  #index(twin: Twin): void {
    if (this.#exact === undefined) return;
    const text = textOf(twin.item, this.#facts.otherKeys, this.#facts);
    this.#texts?.set(twin, text);
    if (!this.#exact.has(text)) this.#exact.set(text, twin);
  }
}

/**
 * What `$patch: delete` of items with the same merge key speaks of: without the other keys each takes all that share
 * its merge key.
 */
export class Deletions {
  readonly #facts: TwinFacts;
  /** By the other keys that they name, the values of these. */
  readonly #byKeys = new Map<string, { readonly keys: readonly string[]; readonly values: Set<string> }>();

  constructor(deletions: readonly JsonObject[], facts: TwinFacts) {
    this.#facts = facts;
    for (const deletion of deletions) {
      const keys = facts.otherKeys.filter((key) => Object.hasOwn(deletion, key));
      const known = this.#byKeys.get(keys.join()) ?? { keys, values: new Set() };
      this.#byKeys.set(keys.join(), known);
      known.values.add(encodeJson(keys.map((key) => deletion[key])));
    }
  }

  speakOf(item: JsonObject): boolean {
    for (const { keys, values } of this.#byKeys.values()) if (values.has(textOf(item, keys, this.#facts))) return true;
    return false;
  }
}

const textOf = (item: JsonObject, keys: readonly string[], facts: TwinFacts): string =>
  encodeJson(keys.map((key) => getOwn(item, key) ?? facts.defaultOf(key)));
