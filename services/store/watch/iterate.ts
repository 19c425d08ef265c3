/** A watch as an async iterable: reading a batch makes room for the next. */
import { PushStream } from '../../../platform/stream.js';
import type { KvWatch, WatchHandle, WatchSink } from './sink.js';
import { emptyKeyError, overflowError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { StoreError } from '../store.js';
import type { WatchBatch } from '../store.js';

export async function* iterateWatch(
  open: (request: KvWatch, sink: WatchSink) => WatchHandle,
  request: KvWatch,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch, void, undefined> {
  if (request.key.length === 0) throw emptyKeyError();
  if (signal.aborted) return;
  const window = LIMITS.watchWindow_batches;
  const stream = new PushStream<WatchBatch>({ limit: window, onOverflow: overflowError });
  const handle = open(request, { onBatch: (batch) => void stream.push(batch), onEnd: (error) => stream.fail(error) });
  const onAbort = () => stream.end();
  signal.addEventListener('abort', onAbort, { once: true });
  handle.grant(window);
  try {
    for (;;) {
      const { done, value } = await stream.next();
      if (done === true || signal.aborted) return;
      handle.grant(1);
      yield value;
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof StoreError ? error : new StoreError('unavailable', String(error));
  } finally {
    signal.removeEventListener('abort', onAbort);
    handle.cancel();
  }
}
