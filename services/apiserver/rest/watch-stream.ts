import type { WatchEvent } from '../../../apimachinery/object-service.js';
import type { TurnBudget } from '../../../platform/turn-budget.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { renderErrorEvent, renderEvent } from './render.js';
import type { Rendering } from './render.js';

/**
 * Events that all watches together send in one turn of the loop, in units: an event, and so many bytes of its object,
 * is one.
 */
export const EVENT_UNITS_OF_TURN = 128;
const UNIT_BYTES = 8 * 1024;

/**
 * The lines of a watch. An error becomes an ERROR event, as headers have gone out long ago; then the stream ends.
 * `turns` are shared by all watches: a burst of events, for hundreds of them, takes many.
 */
export async function* watchStream(
  events: AsyncIterable<WatchEvent>,
  rendering: Rendering,
  turns: TurnBudget,
): AsyncGenerator<Uint8Array> {
  let first = true;
  try {
    for await (const event of events) {
      const turn = turns.spend(1 + event.handle.json.length / UNIT_BYTES);
      if (turn !== undefined) await turn;
      yield renderEvent(event, rendering, first);
      first &&= event.type === 'BOOKMARK';
    }
  } catch (error) {
    yield renderErrorEvent(
      error instanceof ApiError ? error : apiErrors.internal('the watch failed'),
      rendering.accepted.encoding,
    );
  }
}
