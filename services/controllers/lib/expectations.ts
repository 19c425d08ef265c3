/**
 * What a controller has done and its cache has not shown yet. Until it has, counting would lead to doing it again
 * (k8s.io/kubernetes/pkg/controller ControllerExpectations). Forgotten after a while, so that a lost event cannot stop
 * work.
 */
import type { KubeObject } from '../../../apimachinery/object.js';
import type { Clock } from '../../../platform/clock.js';
import type { Informer } from '../../../sdk/informer/informer.js';

/** An event that has not come after this time never will: a relist in between may have swallowed it. */
const EXPECTATION_LIFETIME_MS = 30_000;

interface Expected {
  /** Uids of objects that were created, or asked to go, and that no event has named. */
  readonly uids: Set<string>;
  since_ms: number;
}

export class Expectations {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Expected>();
  /** uid -> key, for what events name. */
  readonly #keys = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Before a deletion, or right after a creation whose object the cache does not show: an event that has come already
   * does not come again.
   */
  expect(key: string, uid: string): void {
    let expected = this.#byKey.get(key);
    if (expected === undefined) {
      expected = { uids: new Set(), since_ms: 0 };
      this.#byKey.set(key, expected);
    }
    expected.uids.add(uid);
    expected.since_ms = this.#clock.monotonic();
    this.#keys.set(uid, key);
  }

  /** An event (or a look into the cache) showed the object. */
  seen(uid: string): void {
    const key = this.#keys.get(uid);
    if (key === undefined) return;
    this.#keys.delete(uid);
    const expected = this.#byKey.get(key);
    expected?.uids.delete(uid);
    if (expected?.uids.size === 0) this.#byKey.delete(key);
  }

  /** Whether an event of this object is awaited: of one that the cache shows, that it goes. */
  pending(uid: string): boolean {
    return this.#keys.has(uid);
  }

  satisfied(key: string): boolean {
    const expected = this.#byKey.get(key);
    if (expected === undefined) return true;
    if (this.#clock.monotonic() - expected.since_ms < EXPECTATION_LIFETIME_MS) return false;
    this.forget(key);
    return true;
  }

  forget(key: string): void {
    for (const uid of this.#byKey.get(key)?.uids ?? []) this.#keys.delete(uid);
    this.#byKey.delete(key);
  }
}

/**
 * Expectations that the informer's events fulfil: a created object by its arrival, a deleted one by its
 * deletionTimestamp or its end.
 */
export function expectationsOf<T extends KubeObject>(informer: Informer<T>, clock: Clock): Expectations {
  const expectations = new Expectations(clock);
  const seen = ({ metadata }: T) => expectations.seen(metadata?.uid ?? '');
  informer.addHandler({
    add: seen,
    update: (object) => {
      if (object.metadata?.deletionTimestamp !== undefined) seen(object);
    },
    delete: seen,
  });
  return expectations;
}
