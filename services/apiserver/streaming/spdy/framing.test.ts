import { constants, createDeflate, createInflate, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adler32, DICTIONARY } from './dictionary.js';
import { SpdyError } from './error.js';
import { encodeFrame, type Frame } from './frames.js';
import { HEADER_BLOCK_BYTES_MAX, HeaderDecoder, HeaderEncoder, type Headers } from './headers.js';
import { DATA_BYTES_MAX, FrameParser } from './parser.js';

const stream = fc.integer({ min: 1, max: 0x7fffffff });
const headers: fc.Arbitrary<Headers> = fc
  .dictionary(fc.stringMatching(/^[a-z][a-z-]{0,20}$/), fc.string({ unit: 'binary-ascii', maxLength: 200 }), {
    maxKeys: 8,
  })
  .map((object) => new Map(Object.entries(object)));
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant('syn-stream' as const),
    stream,
    associated: fc.nat(1000),
    priority: fc.nat(7),
    fin: fc.boolean(),
    unidirectional: fc.boolean(),
    headers,
  }),
  fc.record({ kind: fc.constantFrom('syn-reply' as const, 'headers' as const), stream, fin: fc.boolean(), headers }),
  fc.record({
    kind: fc.constant('data' as const),
    stream,
    fin: fc.boolean(),
    data: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ kind: fc.constant('rst-stream' as const), stream, status: fc.integer({ min: 1, max: 11 }) }),
  fc.record({
    kind: fc.constant('settings' as const),
    settings: fc.array(fc.record({ id: fc.nat(0xffffff), flags: fc.nat(3), value: fc.nat(0xffffffff) }), {
      maxLength: 8,
    }),
  }),
  fc.record({ kind: fc.constant('ping' as const), id: fc.nat(0xffffffff) }),
  fc.record({ kind: fc.constant('goaway' as const), lastStream: fc.nat(0x7fffffff), status: fc.nat(2) }),
  fc.record({
    kind: fc.constant('window-update' as const),
    stream: fc.nat(0x7fffffff),
    delta: fc.integer({ min: 1, max: 0x7fffffff }),
  }),
);

function encode(frames: readonly Frame[]): Buffer {
  const encoder = new HeaderEncoder();
  return Buffer.concat(frames.map((one) => encodeFrame(one, encoder)));
}

/**
 * What a parser makes of these pieces: its frames, and whether it gave up. Any other error than a SpdyError is the
 * test's.
 */
function parse(pieces: readonly Buffer[]): { frames: Frame[]; broken: boolean } {
  const parser = new FrameParser();
  const frames: Frame[] = [];
  try {
    for (const piece of pieces) {
      parser.push(piece);
      for (let next = parser.next(); next !== undefined; next = parser.next()) frames.push(next);
    }
  } catch (error) {
    if (!(error instanceof SpdyError)) throw error;
    return { frames, broken: true };
  }
  return { frames, broken: false };
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const cuts = fc.array(fc.nat(0xffffff), { maxLength: 20 });
const bytewise = (bytes: Buffer) => [...bytes].map((byte) => Buffer.of(byte));
const control = (type: number, payload: Buffer) =>
  Buffer.concat([
    Buffer.of(0x80, 3, 0, type, 0, payload.length >> 16, (payload.length >> 8) & 255, payload.length & 255),
    payload,
  ]);

describe('frames', () => {
  it('are the same whatever way their bytes are split', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), cuts, (frames, where) => {
        const bytes = encode(frames);
        expect(parse(split(bytes, where))).toEqual({ frames, broken: false });
      }),
    );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 4 }), (frames) => {
        expect(parse(bytewise(encode(frames)))).toEqual({ frames, broken: false });
      }),
      { numRuns: 20 },
    );
  });

  it('of hostile bytes end in a SpdyError or wait for more, at the same place whatever the split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (noise, where) => {
        const bytes = Buffer.from(noise);
        expect(parse(split(bytes, where))).toEqual(parse([bytes]));
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 6 }),
        fc.nat(0xffffff),
        fc.integer({ min: 1, max: 255 }),
        cuts,
        (frames, at, flip, where) => {
          const bytes = encode(frames);
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
          expect(parse(split(bytes, where))).toEqual(parse([bytes]));
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ['another version', Buffer.of(0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1)],
    ['a data frame beyond the cap', Buffer.of(0, 0, 0, 1, 0, ...[(DATA_BYTES_MAX >> 16) & 255, 0, 1])],
    ['a control frame beyond the cap', Buffer.of(0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff)],
    ['data on stream 0', Buffer.of(0, 0, 0, 0, 0, 0, 0, 0)],
    ['a stream with the id 0', control(3, Buffer.of(0, 0, 0, 0, 0, 0, 0, 5))],
    ['a ping that is too short', control(6, Buffer.of(1))],
    ['a window update of 0', control(9, Buffer.of(0, 0, 0, 1, 0, 0, 0, 0))],
    ['settings that say there are more', control(4, Buffer.of(0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1))],
    ['a SYN_STREAM without room for its ids', control(1, Buffer.of(0, 0, 0, 1))],
    [
      'a header block that is no zlib',
      control(1, Buffer.concat([Buffer.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0), Buffer.from('not zlib at all')])),
    ],
  ])('break on %s', (_what, bytes) => {
    expect(parse([bytes])).toEqual({ frames: [], broken: true });
  });

  it('of an unknown type are passed over', () => {
    const ping: Frame = { kind: 'ping', id: 1 };
    expect(parse([control(77, Buffer.from('whatever')), encode([ping])])).toEqual({ frames: [ping], broken: false });
  });
});

describe('header blocks', () => {
  /** What a client with an ordinary zlib stream sends for each block. */
  async function zlibBlocks(plain: readonly Buffer[]): Promise<Buffer[]> {
    const deflate = createDeflate({ dictionary: DICTIONARY, level: 9, flush: constants.Z_SYNC_FLUSH });
    const blocks: Buffer[] = [];
    for (const block of plain) {
      await new Promise<void>((resolve) => void deflate.write(block, () => resolve()));
      const out: Buffer[] = [];
      for (let chunk = deflate.read() as Buffer | null; chunk !== null; chunk = deflate.read() as Buffer | null)
        out.push(chunk);
      blocks.push(Buffer.concat(out));
    }
    return blocks;
  }

  function plainBlock(entries: Headers): Buffer {
    const number = (value: number) => Buffer.of(value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255);
    return Buffer.concat([
      number(entries.size),
      ...[...entries].flat().flatMap((text) => [number(text.length), Buffer.from(text, 'latin1')]),
    ]);
  }

  it('are primed with the dictionary of SPDY/3, which zlib knows by its checksum', () => {
    expect([DICTIONARY.length, adler32(DICTIONARY)]).toEqual([1423, 0xe3c6a7c2]);
  });

  it('of an ordinary zlib stream are read, past its window too', async () => {
    const random = fc.sample(headers, { numRuns: 400, seed: 7 });
    const repeated = Array.from(
      { length: 20 },
      (_, i): Headers =>
        new Map([
          ['streamtype', 'data'],
          ['port', '8080'],
          ['requestid', String(i)],
        ]),
    );
    const all = [...repeated, ...random, ...repeated];
    const decoder = new HeaderDecoder();
    for (const [i, block] of (await zlibBlocks(all.map(plainBlock))).entries())
      expect(decoder.decode(block)).toEqual(all[i]);
  });

  it('that are written are an ordinary zlib stream', async () => {
    const all = fc.sample(headers, { numRuns: 400, seed: 8 });
    const inflate = createInflate({ dictionary: DICTIONARY });
    const encoder = new HeaderEncoder();
    const out: Buffer[] = [];
    inflate.on('data', (chunk: Buffer) => out.push(chunk));
    for (const one of all)
      await new Promise<void>((resolve) => void inflate.write(encoder.encode(one), () => resolve()));
    expect(Buffer.concat(out).equals(Buffer.concat(all.map(plainBlock)))).toBe(true);
  });

  it('that would inflate without end are refused', () => {
    const bomb = deflateRawSync(Buffer.alloc(HEADER_BLOCK_BYTES_MAX * 100), {
      dictionary: DICTIONARY,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    const id = Buffer.alloc(4);
    id.writeUInt32BE(adler32(DICTIONARY));
    expect(bomb.length).toBeLessThan(HEADER_BLOCK_BYTES_MAX);
    expect(() => new HeaderDecoder().decode(Buffer.concat([Buffer.of(0x78, 0xbb), id, bomb]))).toThrow(SpdyError);
  });

  it.each([
    ['counts more headers than it has', Buffer.of(0, 0, 0, 2, 0, 0, 0, 1, 97, 0, 0, 0, 0)],
    ['counts a million headers', Buffer.of(0, 0x10, 0, 0)],
    ['has a length beyond its end', Buffer.of(0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 97)],
    ['has a name in upper case', plainBlock(new Map([['Port', '1']]))],
    ['has a name without letters', plainBlock(new Map([['', '1']]))],
    [
      'names a header twice',
      Buffer.concat([
        Buffer.of(0, 0, 0, 2),
        plainBlock(new Map([['a', '1']])).subarray(4),
        plainBlock(new Map([['a', '2']])).subarray(4),
      ]),
    ],
    ['has bytes after its end', Buffer.concat([plainBlock(new Map()), Buffer.of(0)])],
    ['is empty', Buffer.alloc(0)],
  ])('break when one %s', async (_what, plain) => {
    const [block = Buffer.alloc(0)] = await zlibBlocks([plain]);
    expect(() => new HeaderDecoder().decode(block)).toThrow(SpdyError);
  });
});
