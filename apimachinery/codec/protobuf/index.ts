/**
 * `application/vnd.kubernetes.protobuf`: four bytes of magic, then a runtime.Unknown that names the kind and holds its
 * message. In: bodies of clients (kubectl 1.32 and later sends its typed writes so). Out: the same objects as JSON has.
 */
import { apiErrors } from '../../status.js';
import { isObject } from '../../value.js';
import type { JsonObject } from '../../value.js';
import { decodeJson } from '../json.js';
import { checkSize, DEFAULT_LIMITS, ValueBudget } from '../limits.js';
import type { DecodeLimits } from '../limits.js';
import { readMessage } from './decode.js';
import { writeMessage } from './encode.js';
import { ENVELOPE, MAGIC } from './envelope.js';
import { messageNamed, messageOfKind } from './messages.js';
import { ProtobufError, WIRE_BYTES, WireReader, WireWriter } from './wire.js';

/** Every field on the wire is counted; Go writes fields that JSON leaves out, as empty strings. */
const FIELDS_PER_VALUE = 2;

export interface KindHint {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * Throws ApiError BadRequest for what is malformed or of a kind without protobuf form. `hint` names a kind the body
 * omits.
 */
export function decodeProtobuf(bytes: Uint8Array, hint?: KindHint, limits: DecodeLimits = DEFAULT_LIMITS): JsonObject {
  checkSize(bytes, limits);
  try {
    return decodeEnvelope(bytes, hint, limits);
  } catch (error) {
    if (error instanceof ProtobufError)
      throw apiErrors.badRequest(`couldn't parse the body as protobuf: ${error.message}`);
    throw error;
  }
}

function decodeEnvelope(bytes: Uint8Array, hint: KindHint | undefined, limits: DecodeLimits): JsonObject {
  if (bytes.length < MAGIC.length || MAGIC.compare(bytes, 0, MAGIC.length) !== 0) {
    throw new ProtobufError('it does not begin with "k8s\\0"');
  }
  const budget = new ValueBudget({ ...limits, valuesMax: FIELDS_PER_VALUE * limits.valuesMax });
  const envelope = readMessage(
    messageNamed(ENVELOPE),
    new WireReader(bytes, budget, { start: MAGIC.length, end: bytes.length }),
  );
  const { apiVersion, kind } = typeOf(envelope, hint);
  const raw = Buffer.from(typeof envelope['raw'] === 'string' ? envelope['raw'] : '', 'base64');
  if (envelope['contentType'] === 'application/json') {
    const object = decodeJson(raw, limits);
    if (!isObject(object)) throw new ProtobufError('an object was expected in it');
    return object;
  }
  const message = messageOfKind(apiVersion, kind);
  if (message === undefined) throw new ProtobufError(`no protobuf form of ${apiVersion} ${kind} is known`);
  const object: JsonObject = { kind, apiVersion };
  return Object.assign(object, readMessage(message, new WireReader(raw, budget)));
}

function typeOf(envelope: JsonObject, hint: KindHint | undefined): KindHint {
  const meta = isObject(envelope['typeMeta']) ? envelope['typeMeta'] : {};
  const apiVersion = meta['apiVersion'] ?? hint?.apiVersion;
  const kind = meta['kind'] ?? hint?.kind;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string')
    throw new ProtobufError('it names no apiVersion and kind');
  return { apiVersion, kind };
}

/** Undefined when the object's kind has no protobuf form (custom resources). */
export function encodeProtobuf(object: JsonObject): Uint8Array | undefined {
  // What discovery says of the core group names no version.
  const { apiVersion = '', kind } = object;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const message = messageOfKind(apiVersion === '' ? 'v1' : apiVersion, kind);
  if (message === undefined) return undefined;
  const raw = writeMessage(message, object);
  const envelope = writeMessage(messageNamed(ENVELOPE), {
    typeMeta: { apiVersion, kind },
    raw: Buffer.from(raw).toString('base64'),
    contentEncoding: '',
    contentType: '',
  });
  return Buffer.concat([MAGIC, envelope]);
}

/**
 * One event of a watch: its length in four bytes, big-endian, then a bare metav1.WatchEvent (no magic) whose object is
 * an enveloped message (k8s.io/apimachinery/pkg/util/framer).
 */
export function encodeWatchFrame(type: string, object: Uint8Array): Uint8Array {
  const extension = new WireWriter();
  extension.tag(1, WIRE_BYTES);
  extension.bytes(object);
  const event = new WireWriter();
  event.tag(1, WIRE_BYTES);
  event.string(type);
  event.tag(2, WIRE_BYTES);
  event.bytes(extension.finish());
  const body = event.finish();
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}
