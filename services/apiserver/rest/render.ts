/**
 * Answers as bytes: objects, lists and watch events, whole, as tables or as metadata alone. As JSON, bytes are copied,
 * not reparsed; YAML and protobuf are made from the objects.
 */
import { encodeJson, encodeJsonBytes } from '../../../apimachinery/json-value.js';
import { encodeProtobuf, encodeWatchFrame } from '../../../apimachinery/codec/protobuf/index.js';
import { ProtobufList } from '../../../apimachinery/codec/protobuf/list.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { ObjectHandle, ObjectList, Pace, WatchEvent } from '../../../apimachinery/object-service.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { KubeObject, ListMeta } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { ApiError, Status } from '../../../apimachinery/status.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { ByteSteps } from '../work/byte-steps.js';
import type { YamlPool } from '../work/yaml-pool.js';
import { writeYaml } from '../work/yaml-tasks.js';
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
const OPEN = Buffer.from('{');

function renderObject(handle: ObjectHandle, rendering: Rendering): Uint8Array {
  const { view, encoding } = rendering.accepted;
  return view === 'object' && encoding === 'json' ? handle.json : encode(viewOf(handle, rendering), encoding);
}

/** What answers are rendered with: large ones in steps, large YAML on another thread. */
export interface RenderTools {
  readonly heavy: Pace;
  readonly yaml: Pick<YamlPool, 'write'>;
}

/** The same as an answer of its own. */
export async function renderAnswer(
  handle: ObjectHandle,
  rendering: Rendering,
  { heavy, yaml }: RenderTools,
): Promise<Uint8Array> {
  const { view, encoding } = rendering.accepted;
  if (view === 'object' && encoding === 'json') return handle.json;
  if (view === 'object' && encoding === 'yaml') return yaml.write(handle.json);
  await heavy.step('rendering', handle.json.length);
  return renderObject(handle, rendering);
}

function viewOf(handle: ObjectHandle, rendering: Rendering): object {
  const { view, apiVersion } = rendering.accepted;
  switch (view) {
    case 'object':
      return handle.object;
    case 'metadata':
      return partial(handle.object, apiVersion);
    case 'table':
      return table([handle], { resourceVersion: handle.resourceVersion }, rendering, true);
  }
}

/** One answer for all items. Parts of a large one are sent one after the other, and never stand in one piece. */
export async function renderList(
  list: ObjectList,
  rendering: Rendering,
  tools: RenderTools,
): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const { encoding } = rendering.accepted;
  if (encoding === 'protobuf') return whole(await protobufParts(list, rendering, tools.heavy));
  const parts = await jsonParts(list, rendering, tools.heavy);
  return encoding === 'yaml' ? tools.yaml.write(Buffer.concat(parts)) : whole(parts);
}

/** More is sent in parts: copying it would take longer than the main thread may be held. */
const WHOLE_BYTES_MAX = 16 * 1024 * 1024;

function whole(parts: readonly Uint8Array[]): Uint8Array | AsyncIterable<Uint8Array> {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  return bytes <= WHOLE_BYTES_MAX ? Buffer.concat(parts) : gathered(parts);
}

const PART_BYTES = 256 * 1024;

async function* gathered(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    batch.push(part);
    bytes += part.length;
    if (bytes < PART_BYTES) continue;
    yield Buffer.concat(batch);
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield Buffer.concat(batch);
}

/** The list as JSON: its head, its items in their order, its end. */
async function jsonParts(list: ObjectList, rendering: Rendering, pace: Pace): Promise<Uint8Array[]> {
  const { open, close } = frameOf(list, rendering);
  const parts: Uint8Array[] = [Buffer.from(open)];
  const isPlain = rendering.accepted.view === 'object';
  const addPlain = plainItems(rendering.kind, parts);
  const items =
    rendering.accepted.view === 'table' && rendering.kind.printer !== undefined
      ? inOrder(list.items, rendering.kind.printer)
      : list.items;
  await eachInSteps(items, pace, isPlain ? Infinity : STEP_BYTES, (item, index) => {
    if (index > 0) parts.push(COMMA);
    if (isPlain) addPlain(item);
    else parts.push(encodeJsonBytes(itemOf(item, rendering)));
  });
  parts.push(Buffer.from(close));
  return parts;
}

/** The list says what its items are; custom resources say it each for itself. */
function plainItems(kind: Kind, parts: Uint8Array[]): (item: ObjectHandle) => void {
  if (kind.isCustom === true) return ({ json }) => parts.push(json);
  const head = Buffer.from(`${encodeJson({ kind: kind.kind, apiVersion: apiVersionOf(kind) }).slice(0, -1)},`);
  return (item) => {
    if (head.equals(item.json.subarray(0, head.length))) {
      parts.push(OPEN, item.json.subarray(head.length));
      return;
    }
    const { kind: _kind, apiVersion: _apiVersion, ...untyped } = item.object;
    parts.push(encodeJsonBytes(untyped));
  };
}

function frameOf(
  { metadata }: ObjectList,
  { kind, accepted, ...rendering }: Rendering,
): { readonly open: string; readonly close: string } {
  const frame = (head: object, field: string) => ({
    open: `${encodeJson(head).slice(0, -1)},"${field}":[`,
    close: ']}',
  });
  switch (accepted.view) {
    case 'object':
      return frame({ kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata }, 'items');
    case 'metadata':
      return frame({ kind: 'PartialObjectMetadataList', apiVersion: accepted.apiVersion, metadata }, 'items');
    case 'table': {
      const { rows: _, ...head } = table([], metadata, { kind, accepted, ...rendering }, true);
      return frame(head, 'rows');
    }
  }
}

function itemOf(item: ObjectHandle, rendering: Rendering): object {
  return rendering.accepted.view === 'table'
    ? rowOf(item, rendering)
    : partial(item.object, rendering.accepted.apiVersion);
}

async function protobufParts(list: ObjectList, { kind, accepted }: Rendering, pace: Pace): Promise<Uint8Array[]> {
  const { apiVersion } = accepted;
  const isPartial = accepted.view === 'metadata';
  const type = isPartial
    ? { kind: 'PartialObjectMetadataList', apiVersion }
    : { kind: kind.listKind, apiVersion: apiVersionOf(kind) };
  const message = new ProtobufList({ ...type, metadata: list.metadata });
  await eachInSteps(list.items, pace, STEP_BYTES, ({ object }) => {
    if (!message.add((isPartial ? partial(object, apiVersion) : object) as JsonObject)) throw noProtobuf();
  });
  const parts = message.finish();
  if (parts === undefined) throw noProtobuf();
  return parts;
}

/** Objects of so many bytes are parsed and rendered in some milliseconds. */
const STEP_BYTES = 256 * 1024;

async function eachInSteps(
  items: readonly ObjectHandle[],
  pace: Pace,
  step_bytes: number,
  visit: (item: ObjectHandle, index: number) => void,
): Promise<void> {
  const steps = new ByteSteps({ pace, name: 'rendering', step_bytes });
  for (const [index, item] of items.entries()) {
    const turn = steps.before(item.json.length);
    if (turn !== undefined) await turn;
    visit(item, index);
  }
}

const frames = new WeakMap<ObjectHandle, Map<string, Uint8Array>>();

/**
 * One line of a watch. Made once for each object, event type and form, however many watch; ages in tables are therefore
 * those of the first watcher's time. Only the first event of a stream carries the columns of a table.
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
    const object =
      event.type === 'BOOKMARK'
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
  return Buffer.from(`${encodeJson({ type: 'ERROR', object: error.status })}\n`);
}

/** What says that something went well has no code. */
export type SentStatus = Omit<Status, 'code'> & Partial<Pick<Status, 'code'>>;

export function renderStatus(status: SentStatus, encoding: Encoding = 'json'): Uint8Array {
  return encode(status, encoding);
}

function table(
  items: readonly ObjectHandle[],
  metadata: ListMeta,
  rendering: Rendering,
  columns: boolean,
): JsonObject & { readonly rows: readonly object[] } {
  const { kind, accepted } = rendering;
  const printer = kind.printer ?? NAME_AND_CREATION;
  return {
    kind: 'Table',
    apiVersion: accepted.apiVersion,
    metadata,
    columnDefinitions: columns
      ? printer.columns.map((column) => ({
          ...column,
          format: column.format ?? '',
          description: column.description ?? '',
        }))
      : [],
    rows: items.map((item) => rowOf(item, rendering)),
  };
}

const inOrder = (items: readonly ObjectHandle[], { compare }: NonNullable<Kind['printer']>): readonly ObjectHandle[] =>
  compare === undefined ? items : [...items].sort((a, b) => compare(a.object, b.object));

function rowOf({ object }: ObjectHandle, { kind, accepted, includeObject, now_ms }: Rendering): object {
  return {
    cells: (kind.printer ?? NAME_AND_CREATION).row(object, now_ms),
    object:
      includeObject === 'None' ? null : includeObject === 'Object' ? object : partial(object, accepted.apiVersion),
  };
}

const NAME_AND_CREATION: NonNullable<Kind['printer']> = {
  columns: [
    { name: 'Name', type: 'string', format: 'name', priority: 0 },
    { name: 'Created At', type: 'date', priority: 0 },
  ],
  row: (object) => [object.metadata?.name ?? '', object.metadata?.creationTimestamp ?? null],
};

function partial(object: KubeObject, apiVersion: string): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata ?? {} };
}

export function encode(value: object, encoding: Encoding): Uint8Array {
  switch (encoding) {
    case 'json':
      return encodeJsonBytes(value);
    case 'yaml':
      return writeYaml(value);
    case 'protobuf': {
      const bytes = encodeProtobuf(value as JsonObject);
      if (bytes === undefined) throw noProtobuf();
      return bytes;
    }
  }
}

const noProtobuf = () =>
  apiErrors.notAcceptable('only the following media types are accepted: application/json, application/yaml');
