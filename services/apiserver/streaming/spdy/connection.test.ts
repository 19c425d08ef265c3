import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../platform/clock.js';
import { HEARTBEAT_MS, LINGER_MS } from '../limits.js';
import { SpdyConnection, STREAMS_MAX } from './connection.js';
import { encodeFrame, GOAWAY, RST, SETTING_INITIAL_WINDOW, type Frame } from './frames.js';
import { HeaderEncoder } from './headers.js';
import { FrameParser } from './parser.js';
import type { SpdyStream } from './stream.js';

const KIB = 1024;

/** The client's end: a carrier whose other side is the test. */
class Wire extends Duplex {
  readonly frames: Frame[] = [];
  /** A client that does not read: what is written stays in the carrier. */
  stuck = false;
  readonly #encoder = new HeaderEncoder();
  readonly #parser = new FrameParser();
  #stuckWrite: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {
    // The test pushes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#parser.push(chunk);
    for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next()) this.frames.push(frame);
    if (this.stuck) this.#stuckWrite = done;
    else done();
  }

  unstick(): void {
    this.stuck = false;
    this.#stuckWrite?.();
  }

  send(...frames: Frame[]): void {
    for (const frame of frames) this.push(encodeFrame(frame, this.#encoder));
  }

  bytesOf(stream: number): number {
    return this.frames.reduce(
      (sum, frame) => sum + (frame.kind === 'data' && frame.stream === stream ? frame.data.length : 0),
      0,
    );
  }
}

const settled = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

function connect(onStream: (stream: SpdyStream) => void = (stream) => stream.accept()) {
  const wire = new Wire();
  const clock = new VirtualClock();
  const streams: SpdyStream[] = [];
  const connection = new SpdyConnection({
    carrier: wire,
    clock,
    onStream: (stream) => {
      streams.push(stream);
      onStream(stream);
    },
  });
  return { wire, clock, streams, connection };
}

const open = (stream: number, headers: Record<string, string> = {}, fin = false): Frame => ({
  kind: 'syn-stream',
  stream,
  associated: 0,
  priority: 0,
  fin,
  unidirectional: false,
  headers: new Map(Object.entries(headers)),
});
const data = (stream: number, bytes: Buffer | string, fin = false): Frame => ({
  kind: 'data',
  stream,
  fin,
  data: Buffer.from(bytes),
});

describe('streams', () => {
  it('are answered, carry bytes both ways and close from each end', async () => {
    const { wire, streams } = connect();
    wire.send(open(1, { streamtype: 'data' }), data(1, 'hel'), data(1, 'lo', true));
    await settled();
    const [stream] = streams;
    expect(stream?.headers).toEqual(new Map([['streamtype', 'data']]));
    let text = '';
    for await (const chunk of stream ?? []) text += chunk.toString();
    expect(text).toBe('hello');
    await stream?.write(Buffer.from('world'));
    stream?.end();
    await settled();
    expect(wire.frames).toEqual([
      { kind: 'syn-reply', stream: 1, fin: false, headers: new Map() },
      data(1, 'world'),
      data(1, '', true),
    ]);
    await expect(stream?.write(Buffer.from('more'))).rejects.toThrow('ended');
  });

  it('that the client resets abort, and their writers learn of it', async () => {
    const { wire, streams } = connect();
    wire.send(open(1));
    await settled();
    wire.stuck = true;
    const writing = streams[0]?.write(Buffer.alloc(500 * KIB));
    wire.send({ kind: 'rst-stream', stream: 1, status: RST.cancel });
    await expect(writing).rejects.toThrow('reset');
    expect(streams[0]?.gone.aborted).toBe(true);
  });

  it('beyond the cap are refused, and make room when they close', async () => {
    const { wire, connection } = connect();
    for (let i = 0; i <= STREAMS_MAX; i++) wire.send(open(2 * i + 1));
    await settled();
    const refused = { kind: 'rst-stream', stream: 2 * STREAMS_MAX + 1, status: RST.refusedStream };
    expect(wire.frames.filter((frame) => frame.kind === 'rst-stream')).toEqual([refused]);
    wire.send({ kind: 'rst-stream', stream: 1, status: RST.cancel }, open(2 * STREAMS_MAX + 3));
    await settled();
    expect(wire.frames.at(-1)).toMatchObject({ kind: 'syn-reply', stream: 2 * STREAMS_MAX + 3 });
    expect(connection.gone.aborted).toBe(false);
  });

  it('that are closed take late data without harm; data after an end resets', async () => {
    const { wire, connection } = connect();
    wire.send(
      open(1),
      { kind: 'rst-stream', stream: 1, status: RST.cancel },
      data(1, 'late'),
      open(3, {}, true),
      data(3, 'after its end'),
    );
    await settled();
    expect(wire.frames.at(-1)).toEqual({ kind: 'rst-stream', stream: 3, status: RST.streamAlreadyClosed });
    expect(connection.gone.aborted).toBe(false);
  });
});

describe('flow control', () => {
  it('does not bind towards a client that keeps no windows, as moby/spdystream', async () => {
    const { wire, streams } = connect();
    wire.send(open(1));
    await settled();
    await streams[0]?.write(Buffer.alloc(300 * KIB));
    await settled();
    expect(wire.bytesOf(1)).toBe(300 * KIB);
  });

  it('binds towards a client that keeps them, of streams and of the connection', async () => {
    const { wire, streams } = connect();
    wire.send({ kind: 'settings', settings: [{ id: SETTING_INITIAL_WINDOW, flags: 0, value: 10 * KIB }] }, open(1));
    await settled();
    const writing = streams[0]?.write(Buffer.alloc(100 * KIB));
    await settled();
    expect(wire.bytesOf(1)).toBe(10 * KIB);
    wire.send({ kind: 'window-update', stream: 1, delta: 80 * KIB });
    await settled();
    expect(wire.bytesOf(1)).toBe(90 * KIB);
    // 64 KiB of the connection's window are gone by now, and 26 KiB more: it is 26 KiB short.
    wire.send(
      { kind: 'window-update', stream: 0, delta: 30 * KIB },
      { kind: 'window-update', stream: 1, delta: 100 * KIB },
    );
    await settled();
    expect(wire.bytesOf(1)).toBe(94 * KIB);
    wire.send({ kind: 'window-update', stream: 0, delta: 100 * KIB });
    await writing;
    expect(wire.bytesOf(1)).toBe(100 * KIB);
  });

  it('tells what has been read, on the stream and on the connection', async () => {
    const { wire, streams } = connect();
    wire.send(open(1), data(1, Buffer.alloc(40 * KIB)));
    await settled();
    expect(wire.frames.filter((frame) => frame.kind === 'window-update')).toEqual([]);
    await streams[0]?.[Symbol.asyncIterator]().next();
    await settled();
    expect(wire.frames.slice(-2)).toEqual([
      { kind: 'window-update', stream: 0, delta: 40 * KIB },
      { kind: 'window-update', stream: 1, delta: 40 * KIB },
    ]);
  });

  it('holds the carrier back while nobody reads, and lets go when a reader leaves', async () => {
    const { wire, streams } = connect();
    wire.send(open(1), ...Array.from({ length: 5 }, () => data(1, Buffer.alloc(512 * KIB))));
    await settled();
    expect(wire.isPaused()).toBe(true);
    streams[0]?.cancel();
    expect(wire.isPaused()).toBe(false);
  });

  it('resets a stream whose window grows too far, and ends a connection whose own does', async () => {
    const { wire, connection } = connect();
    wire.send(open(1), { kind: 'window-update', stream: 1, delta: 0x7fffffff });
    await settled();
    expect(wire.frames.at(-1)).toEqual({ kind: 'rst-stream', stream: 1, status: RST.flowControlError });
    wire.send({ kind: 'window-update', stream: 0, delta: 0x7fffffff });
    await settled();
    expect(wire.frames.at(-1)).toEqual({ kind: 'goaway', lastStream: 1, status: GOAWAY.protocolError });
    expect(connection.gone.aborted).toBe(true);
  });
});

describe('the connection', () => {
  it('echoes pings of the client, and sends its own', async () => {
    const { wire, clock } = connect();
    wire.send({ kind: 'ping', id: 7 }, { kind: 'ping', id: 2 });
    await settled();
    await clock.advance(HEARTBEAT_MS);
    expect(wire.frames).toEqual([
      { kind: 'ping', id: 7 },
      { kind: 'ping', id: 2 },
    ]);
  });

  it.each<[string, Frame]>([
    ['an even stream', open(2)],
    ['a stream that is not new', open(1)],
    ['data on a stream never opened', data(5, 'x')],
    ['a reply', { kind: 'syn-reply', stream: 1, fin: false, headers: new Map() }],
  ])('ends on %s', async (_what, frame) => {
    const { wire, clock, streams, connection } = connect();
    wire.send(open(1), frame);
    await settled();
    expect(wire.frames.at(-1)).toEqual({ kind: 'goaway', lastStream: 1, status: GOAWAY.protocolError });
    expect([connection.gone.aborted, streams[0]?.gone.aborted, wire.writableEnded]).toEqual([true, true, true]);
    await expect(streams[0]?.[Symbol.asyncIterator]().next()).rejects.toThrow('gone');
    await clock.advance(LINGER_MS);
    expect(wire.destroyed).toBe(true);
  });

  it('survives any bytes: it ends, or waits for more, and nothing is thrown', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 100 }), { maxLength: 5 }), async (pieces) => {
        const { wire, connection } = connect();
        wire.send(open(1));
        for (const piece of pieces) wire.push(Buffer.from(piece));
        await settled();
        expect(connection.gone.aborted).toBe(wire.writableEnded);
        wire.destroy();
        await settled();
        expect(connection.gone.aborted).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('says goodbye last, and waits for the client to close', async () => {
    const { wire, connection, streams } = connect();
    wire.send(open(1));
    await settled();
    await streams[0]?.write(Buffer.from('bye'));
    streams[0]?.end();
    connection.close();
    wire.send(data(1, 'dropped'));
    await settled();
    expect(wire.frames.slice(-3)).toEqual([
      data(1, 'bye'),
      data(1, '', true),
      { kind: 'goaway', lastStream: 1, status: GOAWAY.ok },
    ]);
    expect(wire.destroyed).toBe(false);
    wire.push(null);
    await settled();
    expect(wire.destroyed).toBe(true);
  });

  it('ends when a client asks and asks and never reads (as CVE-2019-9512)', async () => {
    const { wire, connection } = connect();
    wire.stuck = true;
    for (let i = 0; i < 200_000 && !connection.gone.aborted; i++) {
      wire.send({ kind: 'ping', id: 1 });
      if (i % 1000 === 0) await settled();
    }
    expect([connection.gone.aborted, wire.destroyed]).toEqual([true, true]);
  });
});
