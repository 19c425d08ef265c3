import type { WatchEventType } from '../../../apimachinery/object-service.js';
import { PushStream } from '../../../platform/stream.js';
import type { CachedObject } from './cached-object.js';
import type { CacheEvent } from './event-window.js';
import { selects } from './selection.js';
import type { Selection } from './selection.js';

/**
 * Events that may wait for one watcher. A burst larger than that closes it; the client resumes from what it has seen.
 */
export const WATCHER_BUFFER = 4096;
/** And their bytes: objects may have 1.5 MB. */
export const WATCHER_BYTES_MAX = 16 * 1024 * 1024;

export type WatcherItem =
  | { readonly type: Exclude<WatchEventType, 'BOOKMARK'>; readonly object: CachedObject }
  | { readonly type: 'BOOKMARK'; readonly revision: number };

/** How an event looks through a selection: an object that leaves it is gone, one that enters it is new. */
export function project(event: CacheEvent, selection: Selection): WatcherItem | undefined {
  const is = selects(selection, event.current);
  const was = selects(selection, event.previous);
  if (is && event.current !== undefined) return { type: was ? 'MODIFIED' : 'ADDED', object: event.current };
  return was ? { type: 'DELETED', object: event.gone() } : undefined;
}

/** One watch, from the moment it joined the live events of a resource. */
export class Watcher {
  readonly stream: PushStream<WatcherItem>;
  readonly #selection: Selection;
  /** Events up to here have been delivered another way. */
  readonly #after: number;

  constructor(selection: Selection, after: number, onClose: (watcher: Watcher) => void) {
    this.#selection = selection;
    this.#after = after;
    this.stream = new PushStream({
      limit: WATCHER_BUFFER,
      weigh: (item) => (item.type === 'BOOKMARK' ? 0 : item.object.json.length),
      onOverflow: () => new Error('the watcher is too slow'),
      onClose: () => onClose(this),
    });
  }

  offer(event: CacheEvent): void {
    if (event.revision <= this.#after) return;
    const item = project(event, this.#selection);
    if (item !== undefined) this.#push(item);
  }

  /** Tells the watcher how far it is, when nothing waits: everything up to `revision` has been delivered. */
  bookmark(revision: number): void {
    if (this.stream.size === 0 && revision > this.#after) this.#push({ type: 'BOOKMARK', revision });
  }

  #push(item: WatcherItem): void {
    if (this.stream.size >= WATCHER_BUFFER || this.stream.weight >= WATCHER_BYTES_MAX) this.stream.end();
    else this.stream.push(item);
  }
}
