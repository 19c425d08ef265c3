/**
 * One version of one stored object: its bytes as clients get them, and, made at most once and on demand, the parsed
 * form and what selectors look at. Shared by every list, watch and in-process client.
 *
 * Stored bytes carry no resourceVersion (it is the store's to give). They are written as
 * `{"kind":...,"apiVersion":...,"metadata":{...},...}`, so that the version is spliced in by copying, without parsing.
 * Bytes that begin otherwise were written by others, or before objects were normalised: they are parsed, and normalised
 * now.
 */
import { encodeJsonBytes, parseJsonBytes } from '../../../apimachinery/json-value.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { ObjectHandle } from '../../../apimachinery/object-service.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { upgradeStored } from '../../../apimachinery/scheme/stored.js';
import { cloneJson, jsonEqual } from '../../../apimachinery/value.js';

const METADATA = Buffer.from('"metadata":{');
/** No apiVersion and kind together are longer: a group is a DNS subdomain, a kind a label. */
const HEAD_LENGTH_MAX = 512;
const CLOSING_BRACE = 0x7d;

export interface Location {
  /** The whole storage key. */
  readonly key: string;
  /** '' for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

export class CachedObject implements ObjectHandle {
  readonly location: Location;
  /** The store's revision of the last write; in a DELETED event, of the deletion. */
  readonly revision: number;
  readonly json: Uint8Array;
  #object: KubeObject | undefined;
  #facts: { readonly kind: Kind; readonly fields: Readonly<Record<string, string>> } | undefined;
  /** By the row that shows them: a changed CRD has new rows. */
  #versions: Map<Kind, CachedObject> | undefined;

  constructor(
    location: Location,
    revision: number,
    content: { readonly json: Uint8Array; readonly object?: KubeObject },
  ) {
    this.location = location;
    this.revision = revision;
    this.json = content.json;
    this.#object = content.object;
  }

  get resourceVersion(): string {
    return String(this.revision);
  }

  get object(): KubeObject {
    this.#object ??= parseJsonBytes(this.json) as KubeObject;
    if (FREEZE && !Object.isFrozen(this.#object)) deepFreeze(this.#object);
    return this.#object;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.object.metadata?.labels ?? NO_LABELS;
  }

  /** The selectable fields of the kind, by label; metadata.name and metadata.namespace are the location's. */
  fields(kind: Kind): Readonly<Record<string, string>> {
    if (this.#facts?.kind !== kind) {
      const fields: Record<string, string> = Object.create(null) as Record<string, string>;
      for (const [label, valueOf] of Object.entries(kind.fieldSelectors)) fields[label] = valueOf(this.object);
      this.#facts = { kind, fields };
    }
    return this.#facts.fields;
  }

  /** The same state as of another revision: the body of a DELETED event. */
  at(revision: number): CachedObject {
    const object: UnknownObject = {
      ...this.object,
      metadata: { ...this.object.metadata, resourceVersion: String(revision) },
    };
    return new CachedObject(this.location, revision, { json: encodeWithVersion(object, revision), object });
  }

  /**
   * As the given kind's version of the API shows it: itself, unless it is stored in another one, or lacks a custom
   * resource's defaults.
   */
  as(kind: Kind): CachedObject {
    if (isShownAsStored(kind)) return this;
    if (kind.isCustom !== true && this.object.apiVersion === apiVersionOf(kind)) return this;
    let converted = this.#versions?.get(kind);
    if (converted === undefined) {
      converted = this.#converted(kind);
      this.#versions ??= new Map();
      this.#versions.set(kind, converted);
    }
    return converted;
  }

  #converted(kind: Kind): CachedObject {
    const copy = cloneJson(this.object);
    const object: UnknownObject = {
      ...(kind.conversion === undefined ? copy : kind.conversion.fromStorage(copy)),
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
    };
    if (kind.isCustom === true) {
      if (jsonEqual(object, this.object)) return this;
    } else {
      upgradeStored(object);
    }
    return new CachedObject(this.location, this.revision, { json: encodeWithVersion(object, this.revision), object });
  }
}

/** Objects of the kind are not even looked at before they are shown. */
export const isShownAsStored = (kind: Kind): boolean =>
  kind.storageVersion === kind.version && kind.conversion === undefined;

/** In tests whoever changes a shared object is caught in the act; in production it would cost more than it finds. */
const FREEZE = process.env['NODE_ENV'] === 'test';

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
}

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>);

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The bytes that are stored: kind, apiVersion and metadata first, no resourceVersion. */
export function encodeForStore(object: KubeObject): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object as UnknownObject;
  const { resourceVersion: _, ...meta } = metadata ?? {};
  return encodeJsonBytes({ kind, apiVersion, metadata: meta, ...rest });
}

export function encodeWithVersion(object: KubeObject, revision: number): Buffer {
  return spliceVersion(encodeForStore(object), revision);
}

/**
 * Copies stored bytes with `resourceVersion` as the first field of metadata. Bytes of another form are parsed instead;
 * throws when they are no object.
 */
export function spliceVersion(stored: Uint8Array, revision: number): Buffer {
  const bytes = asBuffer(stored);
  const at = bytes.subarray(0, HEAD_LENGTH_MAX).indexOf(METADATA);
  if (at < 0 || !isCanonicalHead(bytes, at)) {
    const parsed = parseJsonBytes(bytes);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new TypeError('not an object');
    upgradeStored(parsed);
    return encodeWithVersion(parsed, revision);
  }
  const start = at + METADATA.length;
  const version = `"resourceVersion":"${revision}"${bytes[start] === CLOSING_BRACE ? '' : ','}`;
  const result = Buffer.allocUnsafeSlow(bytes.length + version.length);
  bytes.copy(result, 0, 0, start);
  result.write(version, start, 'latin1');
  bytes.copy(result, start + version.length, start);
  return result;
}

/** The metadata found is the object's own, not one inside another field: only kind and apiVersion stand before it. */
function isCanonicalHead(bytes: Buffer, metadataAt: number): boolean {
  return /^\{"kind":"[^"\\]*","apiVersion":"[^"\\]*",$/.test(bytes.toString('latin1', 0, metadataAt));
}
