/**
 * Keeps events from flooding the store: the same event again raises a count, many similar ones become one, and a source
 * that talks too much about one object is cut short. Pure: no clock, no client (after client-go's EventCorrelator).
 */

export interface EventFacts {
  /** Identifies the object: kind, namespace, name, uid. */
  readonly object: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly action: string;
}

export type Correlation =
  | { readonly kind: 'drop' }
  | { readonly kind: 'write'; readonly key: string; readonly message: string };

interface Similar {
  readonly messages: Set<string>;
  since_ms: number;
}

interface Bucket {
  tokens: number;
  filled_ms: number;
}

/** Different messages of one object and reason within this time before they become one event. */
const SIMILAR_MAX = 10;
const SIMILAR_WINDOW_MS = 600_000;
/** Events about one object: this many at once, then one every five minutes. */
const BURST = 25;
const REFILL_MS = 300_000;
const KEYS_MAX = 4096;

export class EventCorrelator {
  readonly #similar = new BoundedMap<Similar>(KEYS_MAX);
  readonly #buckets = new BoundedMap<Bucket>(KEYS_MAX);

  correlate(facts: EventFacts, now_ms: number): Correlation {
    if (!this.#allowed(facts.object, now_ms)) return { kind: 'drop' };
    const group = JSON.stringify([facts.object, facts.type, facts.reason, facts.action]);
    let similar = this.#similar.get(group);
    if (similar === undefined || now_ms - similar.since_ms > SIMILAR_WINDOW_MS) {
      similar = { messages: new Set(), since_ms: now_ms };
    }
    this.#similar.set(group, similar);
    similar.messages.add(facts.message);
    if (similar.messages.size >= SIMILAR_MAX) {
      similar.messages.delete(facts.message);
      return { kind: 'write', key: group, message: `(combined from similar events): ${facts.message}` };
    }
    return { kind: 'write', key: JSON.stringify([group, facts.message]), message: facts.message };
  }

  #allowed(object: string, now_ms: number): boolean {
    const bucket = this.#buckets.get(object) ?? { tokens: BURST, filled_ms: now_ms };
    const earned = Math.floor((now_ms - bucket.filled_ms) / REFILL_MS);
    if (earned > 0) {
      bucket.tokens = Math.min(BURST, bucket.tokens + earned);
      bucket.filled_ms += earned * REFILL_MS;
    }
    this.#buckets.set(object, bucket);
    if (bucket.tokens === 0) return false;
    bucket.tokens--;
    return true;
  }
}

/** A map that forgets what was set longest ago. */
export class BoundedMap<V> {
  readonly #limit: number;
  readonly #map = new Map<string, V>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    return this.#map.get(key);
  }

  set(key: string, value: V): void {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= this.#limit) return;
    for (const oldest of this.#map.keys()) {
      this.#map.delete(oldest);
      return;
    }
  }

  delete(key: string): void {
    this.#map.delete(key);
  }
}
