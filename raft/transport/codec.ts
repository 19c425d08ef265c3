/**
 * The bytes of what travels on the streams of messages: those of the generated code, which every number costs a BigInt,
 * made and read faster. Entries are most of what a member sends and hears. A codec of its own, not a format of its own:
 * codec.test.ts holds it against the generated one.
 */
import { PeerServiceService, SnapshotMetadata } from '../../proto/gen/navarch/raft/v1/peer.js';
import type { BulkRequest, Entry, EntryKind, Message, MessageType } from '../../proto/gen/navarch/raft/v1/peer.js';
import { RaftError } from '../contract.js';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
/** Above this, a shift of 32 bits has lost something. */
const SMALL = 2 ** 31;
const NO_DATA = Buffer.alloc(0);

const field = (number: number, type: number): number => (number << 3) | type;
/** Of the request; a field below 16 has a tag of one byte. */
const MESSAGES = field(1, BYTES);
const ENTRY = {
  term: field(1, VARINT),
  index: field(2, VARINT),
  kind: field(3, VARINT),
  data: field(4, BYTES),
  proposal: field(5, VARINT),
} as const;
const MESSAGE = {
  type: field(1, VARINT),
  term: field(2, VARINT),
  logTerm: field(3, VARINT),
  index: field(4, VARINT),
  commit: field(5, VARINT),
  reject: field(6, VARINT),
  rejectHint: field(7, VARINT),
  context: field(8, VARINT),
  force: field(9, VARINT),
  entries: field(10, BYTES),
  snapshot: field(11, BYTES),
  from: field(12, VARINT),
} as const;

// Sizes

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

const numberSize = (value: number): number => (value === 0 ? 0 : 1 + varintSize(value));
const bytesSize = (length: number): number => 1 + varintSize(length) + length;

function entrySize({ term, index, kind, data, proposal }: Entry): number {
  return (
    numberSize(term) +
    numberSize(index) +
    numberSize(kind) +
    (data.length === 0 ? 0 : bytesSize(data.length)) +
    numberSize(proposal)
  );
}

function messageSize(message: Message, snapshot: Uint8Array | undefined): number {
  let size =
    numberSize(message.type) +
    numberSize(message.term) +
    numberSize(message.logTerm) +
    numberSize(message.index) +
    numberSize(message.commit) +
    numberSize(message.rejectHint) +
    numberSize(message.context) +
    numberSize(message.from) +
    (message.reject ? 2 : 0) +
    (message.force ? 2 : 0);
  for (const entry of message.entries) size += bytesSize(entrySize(entry));
  return snapshot === undefined ? size : size + bytesSize(snapshot.length);
}

// Writing

class Writer {
  readonly bytes: Buffer;
  #at = 0;

  constructor(size_bytes: number) {
    this.bytes = Buffer.allocUnsafe(size_bytes);
  }

  varint(value: number): void {
    let rest = value;
    for (; rest >= SMALL; rest = Math.floor(rest / 128)) this.bytes[this.#at++] = (rest % 128) | 128;
    for (; rest >= 128; rest >>>= 7) this.bytes[this.#at++] = (rest & 127) | 128;
    this.bytes[this.#at++] = rest;
  }

  number(tag: number, value: number): void {
    if (value === 0) return;
    this.bytes[this.#at++] = tag;
    this.varint(value);
  }

  data(tag: number, data: Uint8Array): void {
    this.begin(tag, data.length);
    this.bytes.set(data, this.#at);
    this.#at += data.length;
  }

  /** A message of this size follows. */
  begin(tag: number, size_bytes: number): void {
    this.bytes[this.#at++] = tag;
    this.varint(size_bytes);
  }
}

function writeEntry(writer: Writer, { term, index, kind, data, proposal }: Entry): void {
  writer.number(ENTRY.term, term);
  writer.number(ENTRY.index, index);
  writer.number(ENTRY.kind, kind);
  if (data.length > 0) writer.data(ENTRY.data, data);
  writer.number(ENTRY.proposal, proposal);
}

function writeMessage(writer: Writer, message: Message, snapshot: Uint8Array | undefined): void {
  writer.number(MESSAGE.type, message.type);
  writer.number(MESSAGE.term, message.term);
  writer.number(MESSAGE.logTerm, message.logTerm);
  writer.number(MESSAGE.index, message.index);
  writer.number(MESSAGE.commit, message.commit);
  writer.number(MESSAGE.reject, message.reject ? 1 : 0);
  writer.number(MESSAGE.rejectHint, message.rejectHint);
  writer.number(MESSAGE.context, message.context);
  writer.number(MESSAGE.force, message.force ? 1 : 0);
  for (const entry of message.entries) {
    writer.begin(MESSAGE.entries, entrySize(entry));
    writeEntry(writer, entry);
  }
  if (snapshot !== undefined) writer.data(MESSAGE.snapshot, snapshot);
  writer.number(MESSAGE.from, message.from);
}

export function encodeRequest({ messages }: BulkRequest): Buffer {
  const parts = messages.map((message) => {
    const snapshot = message.snapshot === undefined ? undefined : SnapshotMetadata.encode(message.snapshot).finish();
    return { message, snapshot, size_bytes: messageSize(message, snapshot) };
  });
  const writer = new Writer(parts.reduce((sum, { size_bytes }) => sum + bytesSize(size_bytes), 0));
  for (const { message, snapshot, size_bytes } of parts) {
    writer.begin(MESSAGES, size_bytes);
    writeMessage(writer, message, snapshot);
  }
  return writer.bytes;
}

// Reading

const malformed = () => new RaftError('invalid', 'a peer sent bytes that are no message');

class Reader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Numbers beyond 2^53 - 1 are refused. */
  varint(): number {
    let value = 0;
    let unit = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#end) throw malformed();
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 127) * unit;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) throw malformed();
        return value;
      }
      unit *= 128;
    }
    throw malformed();
  }

  /** What is in a field of this length. */
  part(): Reader {
    const length = this.varint();
    const start = this.#at;
    this.#skip(length);
    return new Reader(this.#bytes, start, this.#at);
  }

  data(): Buffer {
    const length = this.varint();
    const start = this.#at;
    this.#skip(length);
    return this.#bytes.subarray(start, this.#at);
  }

  /** A field of a later version. */
  skipField(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint();
        break;
      case FIXED64:
        this.#skip(8);
        break;
      case BYTES:
        this.#skip(this.varint());
        break;
      case FIXED32:
        this.#skip(4);
        break;
      default:
        throw malformed();
    }
  }

  #skip(length: number): void {
    if (length > this.#end - this.#at) throw malformed();
    this.#at += length;
  }
}

function readEntry(reader: Reader): Entry {
  const entry: Entry = { term: 0, index: 0, kind: 0, data: NO_DATA, proposal: 0 };
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    switch (tag) {
      case ENTRY.term:
        entry.term = reader.varint();
        break;
      case ENTRY.index:
        entry.index = reader.varint();
        break;
      case ENTRY.kind:
        entry.kind = reader.varint() as EntryKind;
        break;
      case ENTRY.data:
        entry.data = reader.data();
        break;
      case ENTRY.proposal:
        entry.proposal = reader.varint();
        break;
      default:
        reader.skipField(tag);
    }
  }
  return entry;
}

function readSnapshot(bytes: Buffer): SnapshotMetadata {
  try {
    return SnapshotMetadata.decode(bytes);
  } catch {
    throw malformed();
  }
}

function readMessage(reader: Reader): Message {
  const message: Message = {
    type: 0,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    reject: false,
    rejectHint: 0,
    context: 0,
    force: false,
    entries: [],
    snapshot: undefined,
    from: 0,
  };
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    switch (tag) {
      case MESSAGE.type:
        message.type = reader.varint() as MessageType;
        break;
      case MESSAGE.term:
        message.term = reader.varint();
        break;
      case MESSAGE.logTerm:
        message.logTerm = reader.varint();
        break;
      case MESSAGE.index:
        message.index = reader.varint();
        break;
      case MESSAGE.commit:
        message.commit = reader.varint();
        break;
      case MESSAGE.reject:
        message.reject = reader.varint() !== 0;
        break;
      case MESSAGE.rejectHint:
        message.rejectHint = reader.varint();
        break;
      case MESSAGE.context:
        message.context = reader.varint();
        break;
      case MESSAGE.force:
        message.force = reader.varint() !== 0;
        break;
      case MESSAGE.entries:
        message.entries.push(readEntry(reader.part()));
        break;
      case MESSAGE.snapshot:
        message.snapshot = readSnapshot(reader.data());
        break;
      case MESSAGE.from:
        message.from = reader.varint();
        break;
      default:
        reader.skipField(tag);
    }
  }
  return message;
}

/** Throws RaftError `invalid`. The entries' data are views of `bytes`. */
export function decodeRequest(bytes: Buffer): BulkRequest {
  const reader = new Reader(bytes);
  const request: BulkRequest = { messages: [] };
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    if (tag === MESSAGES) request.messages.push(readMessage(reader.part()));
    else reader.skipField(tag);
  }
  return request;
}

const fast = { requestSerialize: encodeRequest, requestDeserialize: decodeRequest };

/** The service as it is generated, but for the streams of messages. */
export const peerService = {
  ...PeerServiceService,
  control: { ...PeerServiceService.control, ...fast },
  bulk: { ...PeerServiceService.bulk, ...fast },
} as const;
