/**
 * Answers as bytes: objects, lists and watch events, whole, as tables or as metadata alone. As JSON, bytes are copied, not
 * reparsed; YAML and protobuf are made from the objects.
 */
import { stringify } from 'yaml';
import { encodeJson, encodeJsonBytes } from '../../../apimachinery/codec/json-value.js';
import { encodeProtobuf, encodeWatchFrame } from '../../../apimachinery/codec/protobuf/index.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { ObjectHandle, ObjectList, WatchEvent } from '../../../apimachinery/object-service.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { KubeObject, ListMeta } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { ApiError, Status } from '../../../apimachinery/status.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import type { Accepted, Encoding } from './negotiate.js';

/** What of an object goes into the rows of a table: `includeObject`. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface Rendering {
  readonly kind: Kind;
  readonly accepted: Accepted;
  readonly includeObject: IncludeObject;
  readonly now_ms: number;
}

const COMMA = Buffer.from(',');

export function renderObject(handle: ObjectHandle, rendering: Rendering): Uint8Array {
  const { view, encoding } = rendering.accepted;
  return view === 'object' && encoding === 'json' ? handle.json : encode(viewOf(handle, rendering), encoding);
}

function viewOf(handle: ObjectHandle, rendering: Rendering): object {
  const { view, apiVersion } = rendering.accepted;
  switch (view) {
    case 'object': return handle.object;
    case 'metadata': return partial(handle.object, apiVersion);
    case 'table': return table([handle], { resourceVersion: handle.resourceVersion }, rendering, true);
  }
}

export function renderList(list: ObjectList, rendering: Rendering): Uint8Array {
  const { kind, accepted } = rendering;
  const { view, encoding, apiVersion } = accepted;
  if (view === 'table') return encode(table(list.items, list.metadata, rendering, true), encoding);
  if (view === 'metadata') {
    return encode({
      kind: 'PartialObjectMetadataList', apiVersion, metadata: list.metadata, items: list.items.map((item) => partial(item.object, apiVersion)),
    }, encoding);
  }
  const head = { kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata: list.metadata };
  if (encoding !== 'json') return encode({ ...head, items: list.items.map((item) => item.object) }, encoding);
  const chunks: Uint8Array[] = [Buffer.from(`${encodeJson(head).slice(0, -1)},"items":[`)];
  for (const [index, item] of list.items.entries()) {
    if (index > 0) chunks.push(COMMA);
    chunks.push(item.json);
  }
  chunks.push(Buffer.from(']}'));
  return Buffer.concat(chunks);
}

const frames = new WeakMap<ObjectHandle, Map<string, Uint8Array>>();

/**
 * One line of a watch. Made once for each object, event type and form, however many watch; ages in tables are therefore those
 * of the first watcher's time. Only the first event of a stream carries the columns of a table.
 */
export function renderEvent(event: WatchEvent, rendering: Rendering, first: boolean): Uint8Array {
  const { accepted, includeObject, kind } = rendering;
  if (first && accepted.view === 'table') return frame(event, rendering, true);
  const key = `${event.type} ${accepted.encoding} ${accepted.view} ${accepted.apiVersion} ${includeObject} ${kind.version}`;
  let cached = frames.get(event.handle);
  if (cached === undefined) {
    cached = new Map();
    frames.set(event.handle, cached);
  }
  let bytes = cached.get(key);
  if (bytes === undefined) {
    bytes = frame(event, rendering, false);
    cached.set(key, bytes);
  }
  return bytes;
}

function frame(event: WatchEvent, rendering: Rendering, columns: boolean): Uint8Array {
  const { handle } = event;
  const { accepted } = rendering;
  if (accepted.view === 'table') {
    const object = event.type === 'BOOKMARK'
      ? partial(handle.object, accepted.apiVersion)
      : table([handle], { resourceVersion: handle.resourceVersion }, rendering, columns);
    return Buffer.from(`{"type":"${event.type}","object":${encodeJson(object)}}\n`);
  }
  const object = renderObject(handle, rendering);
  if (accepted.encoding === 'protobuf') return encodeWatchFrame(event.type, object);
  return Buffer.concat([Buffer.from(`{"type":"${event.type}","object":`), object, Buffer.from('}\n')]);
}

export function renderErrorEvent(error: ApiError, encoding: Encoding): Uint8Array {
  if (encoding === 'protobuf') return encodeWatchFrame('ERROR', encode(error.status, encoding));
  return Buffer.from(`${JSON.stringify({ type: 'ERROR', object: error.status })}\n`);
}

export function renderStatus(status: Status, encoding: Encoding = 'json'): Uint8Array {
  return encode(status, encoding);
}

function table(items: readonly ObjectHandle[], metadata: ListMeta, rendering: Rendering, columns: boolean): object {
  const { kind, accepted, includeObject, now_ms } = rendering;
  const printer = kind.printer ?? NAME_AND_CREATION;
  return {
    kind: 'Table', apiVersion: accepted.apiVersion, metadata,
    columnDefinitions: columns
      ? printer.columns.map((column) => ({ ...column, format: column.format ?? '', description: column.description ?? '' }))
      : [],
    rows: items.map(({ object }) => ({
      cells: printer.row(object, now_ms),
      ...(includeObject === 'None' ? {} : { object: includeObject === 'Object' ? object : partial(object, accepted.apiVersion) }),
    })),
  };
}

const NAME_AND_CREATION: NonNullable<Kind['printer']> = {
  columns: [{ name: 'Name', type: 'string', format: 'name', priority: 0 }, { name: 'Created At', type: 'date', priority: 0 }],
  row: (object) => [object.metadata?.name ?? '', object.metadata?.creationTimestamp ?? null],
};

function partial(object: KubeObject, apiVersion: string): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata ?? {} };
}

function encode(value: object, encoding: Encoding): Uint8Array {
  switch (encoding) {
    case 'json': return encodeJsonBytes(value);
    // Values that several parts share are written out: Kubernetes' YAML has no anchors. Lines are not folded.
    case 'yaml': return Buffer.from(stringify(value, { aliasDuplicateObjects: false, lineWidth: 0, version: '1.1' }));
    case 'protobuf': {
      const bytes = encodeProtobuf(value as JsonObject);
      if (bytes === undefined) throw apiErrors.notAcceptable('only the following media types are accepted: application/json, application/yaml');
      return bytes;
    }
  }
}
