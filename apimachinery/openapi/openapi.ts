/**
 * The documents that clients read: OpenAPI v3, one for each group and version with an index, and v2 in one piece.
 * kubectl's create, apply and explain look in them for PATCH operations, list types and merge keys.
 *
 * In: the scheme. Out: bytes with a hash, which serves as ETag and in the index's addresses. A document is built, in
 * slices, when it is first asked for, and kept until the scheme changes; the index needs none of them, only their
 * hashes.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { Work } from '../../platform/work.js';
import { encodeJsonBytes } from '../json-value.js';
import type { Kind } from '../kind.js';
import { apiVersionOf } from '../object.js';
import { builtInDefinitions, descriptionFacts, enumFacts } from '../scheme/data.js';
import type { MutableScheme } from '../scheme/scheme.js';
import type { JsonObject } from '../value.js';
import { FORMS } from './forms.js';
import type { Entries, Form, FormName } from './forms.js';
import type { Operation } from './operations.js';
import { operationsOf } from './operations.js';
import { definitionsOf, gvkOf, META, pathPrefix } from './definitions.js';
import { SchemaWriter } from './schema-writer.js';

export interface OpenApiDocument {
  readonly bytes: Uint8Array;
  /** Upper-case hexadecimal; the same on every member that knows the same kinds. */
  readonly hash: string;
}

/** What `info.version` says. */
export interface OpenApiOptions {
  readonly version: string;
}

/** Each document is a Work: hundreds of custom resources make one of many megabytes. */
export class OpenApi {
  readonly #scheme: MutableScheme;
  readonly #options: OpenApiOptions;
  #generation = 0;
  readonly #documents = new Map<string, OpenApiDocument>();
  readonly #hashes = new Map<string, string>();

  constructor(scheme: MutableScheme, options: OpenApiOptions) {
    this.#scheme = scheme;
    this.#options = options;
  }

  /** Changes when documents do. */
  get generation(): number {
    return this.#scheme.generation;
  }

  /** The body of `/openapi/v3`. */
  index(): Work<OpenApiDocument> {
    return this.#cached('index', () => this.#index());
  }

  /**
   * The body of `/openapi/v3/<path>`, with `path` as in the index: `api/v1`, `apis/apps/v1`. Undefined: there is none.
   */
  document(path: string): Work<OpenApiDocument> | undefined {
    const kinds = [...this.#groups().values()].find((group) => addressOf(group) === path);
    return kinds === undefined
      ? undefined
      : this.#cached(`v3/${path}`, () => this.#build(kinds, FORMS.v3, this.#hashOf(path, kinds)));
  }

  /** The body of `/openapi/v2`. It is large; clients before 1.29 ask for it, and take protobuf alone. */
  v2(form: Exclude<FormName, 'v3'> = 'v2'): Work<OpenApiDocument> {
    return this.#cached(form, () => this.#build(this.#scheme.kinds(), FORMS[form]));
  }

  #groups(): Map<string, Kind[]> {
    const groups = new Map<string, Kind[]>();
    for (const kind of this.#scheme.kinds()) {
      const key = apiVersionOf(kind);
      const kinds = groups.get(key);
      if (kinds === undefined) groups.set(key, [kind]);
      else kinds.push(kind);
    }
    return groups;
  }

  /** What the scheme is when the work begins counts; when it has changed meanwhile, nothing is kept. */
  *#cached(key: string, build: () => Work<OpenApiDocument>): Work<OpenApiDocument> {
    const generation = this.#forgetOld();
    const known = this.#documents.get(key);
    if (known !== undefined) return known;
    const document = yield* build();
    if (this.#forgetOld() === generation) this.#documents.set(key, document);
    return document;
  }

  #forgetOld(): number {
    const { generation } = this.#scheme;
    if (this.#generation !== generation) {
      this.#documents.clear();
      this.#hashes.clear();
      this.#generation = generation;
    }
    return generation;
  }

  *#index(): Work<OpenApiDocument> {
    const paths: Record<string, JsonObject> = {};
    for (const kinds of this.#groups().values()) {
      const path = addressOf(kinds);
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${yield* this.#hashOf(path, kinds)}` };
    }
    const bytes = encodeJsonBytes({ paths });
    return { bytes, hash: yield* digestWork([bytes]) };
  }

  /** From what the document is made of, so that an index costs no documents. */
  *#hashOf(path: string, kinds: readonly Kind[]): Work<string> {
    const generation = this.#forgetOld();
    const known = this.#hashes.get(path);
    if (known !== undefined) return known;
    const hash = createHash('sha256').update(encodeJsonBytes([this.#options.version, definitionsDigest()]));
    for (const { group, version, kind, resource, listKind, namespaced, verbs, subresources, schema } of kinds) {
      const facts = encodeJsonBytes([
        group,
        version,
        kind,
        resource,
        listKind,
        namespaced,
        verbs,
        subresources,
        schema,
      ]);
      hash.update(facts);
      yield facts.length * HASHED_BYTE_UNITS;
    }
    const text = upperHex(hash);
    if (this.#forgetOld() === generation) this.#hashes.set(path, text);
    return text;
  }

  /** `hash`: the document's, where it is known without its bytes. */
  *#build(kinds: readonly Kind[], form: Form, hash?: Work<string>): Work<OpenApiDocument> {
    const known = hash === undefined ? undefined : yield* hash;
    const entries = yield* entriesWork(kinds, this.#scheme, form);
    const parts = form.whole(this.#options.version, entries);
    return { bytes: Buffer.concat(parts), hash: known ?? (yield* digestWork(parts)) };
  }
}

/** Of making and encoding a part of a document, and of hashing, for each byte. */
const MADE_BYTE_UNITS = 0.4;
const HASHED_BYTE_UNITS = 0.05;

function* entriesWork(kinds: readonly Kind[], scheme: MutableScheme, form: Form): Work<Entries> {
  const writer = new SchemaWriter(form.dialect);
  const operationOf = form.dialect === 'v3' ? operationV3 : operationV2;
  const paths: Uint8Array[] = [];
  for (const kind of kinds) {
    for (const [path, item] of Object.entries(
      pathsOf(operationsOf(kind, scheme, scheme.isBuiltIn(kind)), (operation) => operationOf(operation, writer)),
    )) {
      const entry = form.entry('paths', path, item);
      paths.push(entry);
      yield entry.length * MADE_BYTE_UNITS;
    }
  }
  // Patches have no definition among the compiled ones: any JSON may stand there.
  writer.reached.delete(PATCH);
  const definitions = new Map<string, Uint8Array>();
  for (const [name, definition] of definitionsOf(scheme, kinds, writer)) {
    const entry = form.entry('definitions', name, definition);
    definitions.set(name, entry);
    yield entry.length * MADE_BYTE_UNITS;
  }
  const sorted = [...definitions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  return { paths, definitions: [...sorted, form.entry('definitions', PATCH, { type: 'object' })] };
}

const PATCH = `${META}.Patch`;

const addressOf = ([first]: readonly Kind[]): string => (first === undefined ? '' : pathPrefix(first).slice(1));

const upperHex = (hash: Hash): string => hash.digest('hex').toUpperCase();

function* digestWork(parts: readonly Uint8Array[]): Work<string> {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(part);
    yield part.length * HASHED_BYTE_UNITS;
  }
  return upperHex(hash);
}

let builtInDigest: string | undefined;

function definitionsDigest(): string {
  builtInDigest ??= upperHex(
    createHash('sha256').update(JSON.stringify([builtInDefinitions(), enumFacts(), descriptionFacts()])),
  );
  return builtInDigest;
}

function pathsOf(
  operations: readonly Operation[],
  write: (operation: Operation) => JsonObject,
): Record<string, JsonObject> {
  const paths: Record<string, JsonObject> = {};
  for (const operation of operations) (paths[operation.path] ??= {})[operation.method] = write(operation);
  return paths;
}

function operationV3(operation: Operation, writer: SchemaWriter): JsonObject {
  const content = (definition: string, mediaTypes: readonly string[]): JsonObject =>
    Object.fromEntries(mediaTypes.map((type) => [type, { schema: writer.ref(definition) }]));
  const { request, response } = operation;
  return {
    ...commonOf(operation),
    parameters: operation.parameters.map((parameter) => ({
      name: parameter.name,
      in: parameter.in,
      ...(parameter.in === 'path' ? { required: true } : {}),
      schema: { type: parameter.type, uniqueItems: true },
    })),
    ...(request === undefined
      ? {}
      : {
          requestBody: {
            content: content(request.definition, request.mediaTypes),
            ...(operation.method === 'delete' ? {} : { required: true }),
          },
        }),
    responses: {
      200: {
        description: 'OK',
        content:
          response === undefined
            ? { 'text/plain': { schema: { type: 'string' } } }
            : content(response, operation.answers),
      },
      401: { description: 'Unauthorized' },
    },
  };
}

function operationV2(operation: Operation, writer: SchemaWriter): JsonObject {
  const { request, response } = operation;
  return {
    ...commonOf(operation),
    schemes: ['https'],
    produces: response === undefined ? ['text/plain'] : operation.answers,
    consumes: request?.mediaTypes ?? ['*/*'],
    parameters: [
      ...operation.parameters.map((parameter) => ({
        name: parameter.name,
        in: parameter.in,
        ...(parameter.in === 'path' ? { required: true } : {}),
        type: parameter.type,
        uniqueItems: true,
      })),
      ...(request === undefined
        ? []
        : [
            {
              name: 'body',
              in: 'body',
              ...(operation.method === 'delete' ? {} : { required: true }),
              schema: writer.ref(request.definition),
            },
          ]),
    ],
    responses: {
      200: { description: 'OK', schema: response === undefined ? { type: 'string' } : writer.ref(response) },
      401: { description: 'Unauthorized' },
    },
  };
}

function commonOf(operation: Operation): JsonObject {
  return {
    operationId: operation.id,
    tags: [apiVersionOf(operation.kind).replaceAll('/', '_')],
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': gvkOf(operation.kind),
  };
}
