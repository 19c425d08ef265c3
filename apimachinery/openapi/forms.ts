/**
 * The forms that a document is sent in. A document is encoded in parts, each path and each definition alone, so that a
 * large one is made in slices; `whole` puts them in their places.
 */
import { encodeJson } from '../json-value.js';
import type { JsonObject } from '../value.js';
import { PROTOBUF_FORM } from './protobuf.js';
import type { Dialect } from './schema-writer.js';

type Section = 'paths' | 'definitions';
export type Entries = Readonly<Record<Section, readonly Uint8Array[]>>;

export interface Form {
  readonly dialect: Dialect;
  /** One path or one definition. */
  entry(section: Section, name: string, value: JsonObject): Uint8Array;
  /** All parts of the document, in their order. `version`: what `info.version` says. */
  whole(version: string, entries: Entries): Uint8Array[];
}

const COMMA = Buffer.from(',');
const SECURITY = { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } };
const jsonEntry = (_section: Section, name: string, value: JsonObject): Uint8Array =>
  Buffer.from(`${JSON.stringify(name)}:${encodeJson(value)}`);

const infoOf = (version: string): JsonObject => ({ title: 'Kubernetes', version });
const separated = (entries: readonly Uint8Array[]): Uint8Array[] =>
  entries.flatMap((entry, i) => (i === 0 ? [entry] : [COMMA, entry]));
/** `{"a":1` of `{"a":1}`. */
const opened = (object: JsonObject): string => encodeJson(object).slice(0, -1);

const JSON_V2: Form = {
  dialect: 'v2',
  entry: jsonEntry,
  whole: (version, { paths, definitions }) => [
    Buffer.from(`${opened({ swagger: '2.0', info: infoOf(version) })},"paths":{`),
    ...separated(paths),
    Buffer.from('},"definitions":{'),
    ...separated(definitions),
    Buffer.from(`},"securityDefinitions":${encodeJson(SECURITY)},"security":[{"BearerToken":[]}]}`),
  ],
};

const JSON_V3: Form = {
  dialect: 'v3',
  entry: jsonEntry,
  whole: (version, { paths, definitions }) => [
    Buffer.from(`${opened({ openapi: '3.0.0', info: infoOf(version) })},"paths":{`),
    ...separated(paths),
    Buffer.from('},"components":{"schemas":{'),
    ...separated(definitions),
    Buffer.from(`},"securitySchemes":${encodeJson(SECURITY)}}}`),
  ],
};

const PROTOBUF_V2: Form = {
  dialect: 'v2',
  entry: (section, name, value) => PROTOBUF_FORM.entry(section, name, value),
  whole: (version, entries) => [
    PROTOBUF_FORM.fields({ swagger: '2.0', info: infoOf(version) }),
    ...PROTOBUF_FORM.section('paths', entries.paths),
    ...PROTOBUF_FORM.section('definitions', entries.definitions),
    PROTOBUF_FORM.fields({ securityDefinitions: SECURITY, security: [{ BearerToken: [] }] }),
  ],
};

export const FORMS = { v2: JSON_V2, v3: JSON_V3, 'v2 protobuf': PROTOBUF_V2 } as const;
export type FormName = keyof typeof FORMS;
