/**
 * Issue 6, "what must hold" of `make flood`: a long answer is written as its client takes it, and is one message all
 * the same.
 */
import { EventEmitter } from 'node:events';
import { PassThrough, type Duplex } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { systemClock, VirtualClock } from '../../../platform/clock.js';
import type { Answer } from './answers.js';
import { LONG_ANSWER_BYTES, sendAnswer } from './long-answers.js';

const PART = 64 * 1024;
const answerOf = (parts: number): Answer => ({
  parts: Array.from({ length: parts }, (_, i) => Buffer.alloc(PART, i)),
  bytes: parts * PART,
});

/** A call on a stream that takes nothing until it is read. */
function callOn(stream: Duplex | undefined) {
  const call = Object.assign(new EventEmitter(), {
    call: stream === undefined ? {} : { stream: Object.assign(stream, { respond: () => undefined }) },
    sendMetadata: vi.fn(),
    end: vi.fn(),
  });
  return { call, callback: vi.fn() };
}

it("a short answer goes gRPC's own way, and so does a long one where gRPC looks different inside", async () => {
  for (const [stream, answer] of [
    [new PassThrough(), answerOf(1)],
    [undefined, answerOf(LONG_ANSWER_BYTES / PART)],
  ] as const) {
    const { call, callback } = callOn(stream);
    await sendAnswer(call, answer, callback, { clock: systemClock });
    expect(callback.mock.calls).toEqual([[null, answer]]);
    expect(call.end).not.toHaveBeenCalled();
  }
});

it('a long answer waits for its client between its parts, and ends the call behind the last', async () => {
  const answer = answerOf(16);
  const stream = new PassThrough({ highWaterMark: PART });
  const { call, callback } = callOn(stream);
  const sent = sendAnswer(call, answer, callback, { clock: systemClock });
  await new Promise((resolve) => setImmediate(resolve));
  // What is buffered below is bounded, whatever is still to come.
  expect(stream.readableLength + stream.writableLength).toBeLessThan(4 * PART);
  expect(call.end).not.toHaveBeenCalled();
  const got: Buffer[] = [];
  stream.on('data', (piece: Buffer) => got.push(piece));
  await sent;
  await new Promise((resolve) => setImmediate(resolve));
  const bytes = Buffer.concat(got);
  expect([bytes[0], bytes.readUInt32BE(1), bytes.length]).toEqual([0, answer.bytes, answer.bytes + 5]);
  expect(bytes.subarray(5).equals(Buffer.concat(answer.parts))).toBe(true);
  expect([call.sendMetadata.mock.calls.length, call.end.mock.calls.length, callback.mock.calls.length]).toEqual([
    1, 1, 0,
  ]);
});

it('a client that goes away ends it', async () => {
  const stream = new PassThrough({ highWaterMark: PART });
  const { call, callback } = callOn(stream);
  const release = vi.fn();
  const sent = sendAnswer(call, { ...answerOf(16), release }, callback, { clock: systemClock });
  stream.destroy();
  await sent;
  expect(call.end).not.toHaveBeenCalled();
  expect(release).toHaveBeenCalledTimes(1);
});

it('a client that takes nothing is given up after a while, and the pages are given back', async () => {
  const clock = new VirtualClock();
  const stream = new PassThrough({ highWaterMark: PART });
  const { call, callback } = callOn(stream);
  const release = vi.fn();
  const sent = sendAnswer(call, { ...answerOf(16), release }, callback, { clock, stall_ms: 1000 });
  await clock.advance(999);
  expect([stream.destroyed, release.mock.calls.length]).toEqual([false, 0]);
  await clock.advance(1);
  await sent;
  expect([stream.destroyed, release.mock.calls.length, call.end.mock.calls.length]).toEqual([true, 1, 0]);
});
