/**
 * Long answers to unary calls, written piece by piece as the client takes them. gRPC copies a message twice and hands
 * all of it to the connection at once, which holds the main thread for as long as that takes. The pieces go to the
 * HTTP/2 stream below it; where gRPC's insides look different, its own way is taken.
 */
import { Metadata } from '@grpc/grpc-js';
import type { sendUnaryData } from '@grpc/grpc-js';
import type { Writable } from 'node:stream';
import type { Clock } from '../../../platform/clock.js';
import type { Answer } from './answers.js';
import { streamBelow } from './stream-writer.js';

/** Shorter ones are sent by gRPC's own way. */
export const LONG_ANSWER_BYTES = 256 * 1024;
const STALL_MS = 30_000;
const PREFIX_BYTES = 5;
const MESSAGE_BYTES_MAX = 2 ** 32 - 1;

type UnaryCall = { sendMetadata(metadata: Metadata): void; end?: () => unknown };

export interface SendOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** A client that takes nothing for so long is given up: others wait for the memory. */
  readonly stall_ms?: number;
}

/** Resolves when the answer has been handed over, or its client is gone. */
export async function sendAnswer(
  call: UnaryCall,
  answer: Answer,
  callback: sendUnaryData<Answer>,
  options: SendOptions,
): Promise<void> {
  try {
    await send(call, answer, callback, options);
  } finally {
    answer.release?.();
  }
}

async function send(
  call: UnaryCall,
  answer: Answer,
  callback: sendUnaryData<Answer>,
  { clock, stall_ms = STALL_MS }: SendOptions,
): Promise<void> {
  const below = answer.bytes < LONG_ANSWER_BYTES || answer.bytes > MESSAGE_BYTES_MAX ? undefined : streamBelow(call);
  if (below === undefined || call.end === undefined) {
    callback(null, answer);
    return;
  }
  call.sendMetadata(new Metadata());
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(answer.bytes, 1);
  below.write(prefix);
  for (const part of answer.parts) {
    if (below.destroyed || below.writableEnded) return;
    if (below.write(part)) continue;
    const stalled = clock.after(stall_ms, () => below.destroy());
    await drained(below);
    stalled.cancel();
  }
  if (!below.destroyed) call.end();
}

/** Also when the stream is closed. */
function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    if (stream.destroyed) done();
  });
}
