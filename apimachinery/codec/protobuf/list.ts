/** Lists as protobuf, an item at a time: encoded in one piece a large one would hold its thread. */
import type { JsonObject } from '../../value.js';
import { writeMessage } from './encode.js';
import { MAGIC } from './envelope.js';
import { messageOfKind } from './messages.js';
import { WIRE_BYTES, WireWriter } from './wire.js';

/** The number of `items` in every list, and those of runtime.Unknown's fields. */
const LIST_ITEMS = 2;
const [TYPE_META, RAW, CONTENT_ENCODING, CONTENT_TYPE] = [1, 2, 3, 4];

export class ProtobufList {
  readonly #head: JsonObject & { readonly apiVersion: string; readonly kind: string };
  readonly #items: Uint8Array[] = [];
  #length = 0;

  /** `head`: apiVersion, kind and metadata of the list. */
  constructor(head: JsonObject & { readonly apiVersion: string; readonly kind: string }) {
    this.#head = head;
  }

  /** False when the item's kind has no protobuf form. */
  add(item: JsonObject): boolean {
    const message = messageOfKind(String(item['apiVersion']), String(item['kind']));
    if (message === undefined) return false;
    const body = writeMessage(message, item);
    const writer = new WireWriter();
    writer.tag(LIST_ITEMS, WIRE_BYTES);
    writer.varint(body.length);
    this.#push(writer.finish());
    this.#push(body);
    return true;
  }

  /** Parts that make the whole; undefined when the list's kind has no protobuf form. */
  finish(): Uint8Array[] | undefined {
    const { apiVersion, kind } = this.#head;
    const message = messageOfKind(apiVersion, kind);
    if (message === undefined) return undefined;
    const metadata = writeMessage(message, { metadata: this.#head['metadata'] });
    const open = new WireWriter();
    const typeMeta = new WireWriter();
    typeMeta.tag(1, WIRE_BYTES);
    typeMeta.string(apiVersion);
    typeMeta.tag(2, WIRE_BYTES);
    typeMeta.string(kind);
    open.tag(TYPE_META, WIRE_BYTES);
    open.bytes(typeMeta.finish());
    open.tag(RAW, WIRE_BYTES);
    open.varint(metadata.length + this.#length);
    const close = new WireWriter();
    for (const field of [CONTENT_ENCODING, CONTENT_TYPE]) {
      close.tag(field, WIRE_BYTES);
      close.string('');
    }
    return [MAGIC, open.finish(), metadata, ...this.#items, close.finish()];
  }

  #push(bytes: Uint8Array): void {
    this.#items.push(bytes);
    this.#length += bytes.length;
  }
}
