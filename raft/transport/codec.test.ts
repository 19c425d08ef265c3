import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BulkRequest } from '../../proto/gen/navarch/raft/v1/peer.js';
import type { EntryKind, Message, MessageType } from '../../proto/gen/navarch/raft/v1/peer.js';
import { decodeRequest, encodeRequest } from './codec.js';

const number = fc.oneof(
  fc.constantFrom(0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
  fc.nat(300),
);
const data = fc
  .tuple(fc.constantFrom(0, 1, 127, 128, 300, 16_383, 16_384), fc.nat(255))
  .map(([size, byte]) => Buffer.alloc(size, byte));
const entry = fc.record({
  term: number,
  index: number,
  kind: fc.constantFrom<EntryKind[]>(0, 1, 2),
  data,
  proposal: number,
});
const node = fc.record({ id: number });
const snapshot = fc.record({
  index: number,
  term: number,
  voters: fc.array(node),
  votersOutgoing: fc.array(node),
  learners: fc.array(node),
  learnersNext: fc.array(node),
  autoLeave: fc.boolean(),
});
const message: fc.Arbitrary<Message> = fc.record({
  type: fc.integer({ min: 0, max: 15 }) as fc.Arbitrary<MessageType>,
  term: number,
  logTerm: number,
  index: number,
  commit: number,
  reject: fc.boolean(),
  rejectHint: number,
  context: number,
  force: fc.boolean(),
  entries: fc.array(entry, { maxLength: 5 }),
  snapshot: fc.option(snapshot, { nil: undefined }),
  from: number,
});
const request = fc.record({ messages: fc.array(message, { maxLength: 4 }) });
const generated = (one: BulkRequest) => Buffer.from(BulkRequest.encode(one).finish());

it('writes the bytes of the generated code, and reads them', () => {
  fc.assert(
    fc.property(request, (one) => {
      const bytes = encodeRequest(one);
      expect(bytes.equals(generated(one))).toBe(true);
      expect(generated(decodeRequest(bytes)).equals(bytes)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

it('passes over fields of later versions, wherever they are', () => {
  const known = generated({ messages: [] });
  for (const unknown of [
    [0xf8, 0x01, 0x96, 0x01],
    [0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8],
    [0xfa, 0x01, 3, 1, 2, 3],
    [0xfd, 0x01, 1, 2, 3, 4],
  ].map((bytes) => Buffer.from(bytes))) {
    const nested = Buffer.concat([
      Buffer.from([0x0a, 2 + unknown.length + unknown.length]),
      Buffer.from([0x52, unknown.length]),
      unknown,
      unknown,
    ]);
    const bytes = Buffer.concat([unknown, nested, known]);
    expect(decodeRequest(bytes)).toEqual(BulkRequest.decode(bytes));
  }
});

it('refuses what is no message in one way, whatever it is', () => {
  const judge = (bytes: Buffer) => {
    try {
      encodeRequest(decodeRequest(bytes));
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid', message: 'a peer sent bytes that are no message' });
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => judge(Buffer.from(bytes))),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(255), fc.nat(), (one, at, value, cut) => {
      const bytes = generated(one);
      if (bytes.length === 0) return;
      bytes[at % bytes.length] = value;
      judge(bytes.subarray(0, bytes.length - (cut % 3)));
    }),
    { numRuns: 1000 },
  );
  for (const bytes of [
    [0x0a],
    [0x0a, 0x05, 1],
    [0x0a, 0x7f],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
    [0x0b],
    [0x0a, 2, 0x52, 1],
  ]) {
    expect(() => decodeRequest(Buffer.from(bytes))).toThrow('no message');
  }
});
