import type { WatchEvent } from '../../../apimachinery/object-service.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { renderErrorEvent, renderEvent } from './render.js';
import type { Rendering } from './render.js';

/** The lines of a watch. An error becomes an ERROR event, as headers have gone out long ago; then the stream ends. */
export async function* watchStream(events: AsyncIterable<WatchEvent>, rendering: Rendering): AsyncGenerator<Uint8Array> {
  let first = true;
  try {
    for await (const event of events) {
      yield renderEvent(event, rendering, first);
      first &&= event.type === 'BOOKMARK';
    }
  } catch (error) {
    yield renderErrorEvent(error instanceof ApiError ? error : apiErrors.internal('the watch failed'), rendering.accepted.encoding);
  }
}
