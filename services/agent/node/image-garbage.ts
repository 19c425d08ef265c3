/**
 * Takes unused images away when the disk fills up: from `high_percent` used down to `low_percent`, those unused for
 * longest first (kubelet's image garbage collection). An image is unused when no container was made of it, running or
 * not; the sandboxes' own and those seen for the first time less than `age_ms` ago stay.
 */
import type { Clock } from '../../../platform/clock.js';
import type { ImageRecord, RuntimeSnapshot } from '../runtime/runtime.js';

export interface ImageGarbageOptions {
  /** 100: images are never taken away. */
  readonly high_percent: number;
  readonly low_percent: number;
  readonly age_ms?: number;
  readonly clock: Clock;
}

export interface ImageGarbageView {
  readonly images: readonly ImageRecord[];
  readonly snapshot: RuntimeSnapshot;
  readonly disk_bytes: number;
  readonly diskAvailable_bytes: number;
}

const AGE_MS_DEFAULT = 120_000;

export class ImageGarbage {
  readonly #options: ImageGarbageOptions;
  /** When an image was first seen, and when it was last seen in use. */
  readonly #seen = new Map<string, { readonly first_ms: number; used_ms: number }>();

  constructor(options: ImageGarbageOptions) {
    if (!(options.low_percent > 0 && options.low_percent < options.high_percent && options.high_percent <= 100)) {
      throw new RangeError(
        `image garbage collection goes from a high share of the disk to a lower one, not from ${options.high_percent} to ${options.low_percent} percent`,
      );
    }
    this.#options = options;
  }

  /** Notes what is in use, and says which images are to go now, the first first. */
  choose(view: ImageGarbageView): ImageRecord[] {
    const { high_percent, low_percent, age_ms = AGE_MS_DEFAULT, clock } = this.#options;
    const now_ms = clock.monotonic();
    const used = new Set(view.snapshot.containers.flatMap(({ image, imageId }) => [image, imageId]));
    const inUse = (image: ImageRecord) =>
      image.pinned === true || used.has(image.id) || image.names.some((name) => used.has(name));
    this.#note(view.images, inUse, now_ms);
    const used_bytes = view.disk_bytes - view.diskAvailable_bytes;
    if (high_percent >= 100 || view.disk_bytes === 0 || used_bytes * 100 < view.disk_bytes * high_percent) return [];
    let excess_bytes = used_bytes - (view.disk_bytes * low_percent) / 100;
    const unused = view.images.filter(
      (image) => !inUse(image) && now_ms - (this.#seen.get(image.id)?.first_ms ?? now_ms) >= age_ms,
    );
    return unused
      .toSorted((a, b) => (this.#seen.get(a.id)?.used_ms ?? 0) - (this.#seen.get(b.id)?.used_ms ?? 0))
      .filter((image) => {
        const goes = excess_bytes > 0;
        excess_bytes -= image.size_bytes;
        return goes;
      });
  }

  #note(images: readonly ImageRecord[], inUse: (image: ImageRecord) => boolean, now_ms: number): void {
    for (const image of images) {
      const seen = this.#seen.get(image.id);
      if (seen === undefined)
        this.#seen.set(image.id, { first_ms: now_ms, used_ms: inUse(image) ? now_ms : -Infinity });
      else if (inUse(image)) seen.used_ms = now_ms;
    }
    const present = new Set(images.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id);
  }
}
