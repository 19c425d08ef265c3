import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { StreamWriter } from './stream-writer.js';

class FakeCall extends EventEmitter {
  cancelled = false;
  destroyed = false;
  readonly written: string[] = [];
  room = true;
  ended = false;
  metadata = 0;
  readonly call: { stream?: PassThrough } = {};

  write(text: string): boolean {
    this.written.push(text);
    return this.room;
  }

  end(): void {
    this.ended = true;
    this.call.stream?.end();
  }

  sendMetadata(): void {
    this.metadata++;
  }
}

const writerOf = (call: FakeCall, onDrain = () => undefined) =>
  new StreamWriter<string>({
    call: call as unknown as ServerDuplexStream<unknown, string>,
    serialize: (text) => Buffer.from(text),
    onDrain,
  });

it('writes what one turn makes as one piece, each message behind its length, and what is left before the end', async () => {
  const call = new FakeCall();
  const stream = Object.assign(new PassThrough(), { respond: () => undefined });
  call.call.stream = stream;
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  const writer = writerOf(call);
  expect([call.metadata, writer.write('ab'), writer.write('c')]).toEqual([1, true, true]);
  await new Promise((resolve) => setImmediate(resolve));
  writer.write('d');
  writer.end();
  await new Promise((resolve) => setImmediate(resolve));
  expect(pieces.map((piece) => piece.toString('latin1'))).toEqual(['\0\0\0\0\x02ab\0\0\0\0\x01c', '\0\0\0\0\x01d']);
  expect([call.ended, call.written]).toEqual([true, []]);
});

it('says when the stream is full, and when it has drained', async () => {
  const call = new FakeCall();
  const stream = Object.assign(new PassThrough(), { respond: () => undefined });
  call.call.stream = stream;
  let drained = 0;
  const writer = writerOf(call, () => void drained++);
  expect(writer.write('x'.repeat(300 * 1024))).toBe(false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(drained).toBe(0);
  stream.resume();
  await new Promise((resolve) => stream.once('drain', resolve));
  expect([drained, writer.write('y')]).toEqual([1, true]);
  call.cancelled = true;
  expect(writer.write('z')).toBe(false);
});

it("takes the call's own way where there is no stream below", () => {
  const call = new FakeCall();
  let drained = 0;
  const writer = writerOf(call, () => void drained++);
  expect(writer.write('a')).toBe(true);
  call.room = false;
  expect(writer.write('b')).toBe(false);
  call.emit('drain');
  writer.end();
  expect([call.written, drained, call.ended]).toEqual([['a', 'b'], 1, true]);
});
