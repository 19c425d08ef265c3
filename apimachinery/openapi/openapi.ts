/**
 * The documents that clients read: OpenAPI v3, one for each group and version with an index, and v2 in one piece.
 * kubectl's create, apply and explain look in them for PATCH operations, list types and merge keys.
 *
 * In: the scheme. Out: bytes with a hash, which serves as ETag and in the index's addresses. A document is built when it
 * is first asked for and kept until the scheme changes; the index needs none of them, only their hashes.
 */
import { createHash } from 'node:crypto';
import { encodeJsonBytes } from '../codec/json-value.js';
import type { Kind } from '../kind.js';
import { apiVersionOf } from '../object.js';
import { builtInDefinitions, descriptionFacts, enumFacts } from '../scheme/data.js';
import type { MutableScheme } from '../scheme/scheme.js';
import type { JsonObject } from '../value.js';
import type { Operation } from './operations.js';
import { operationsOf } from './operations.js';
import { openApiV2Protobuf } from './protobuf.js';
import { gvkOf, META, pathPrefix, SchemaWriter, writeDefinitions } from './schemas.js';

export interface OpenApiDocument {
  readonly bytes: Uint8Array;
  /** Upper-case hexadecimal; the same on every member that knows the same kinds. */
  readonly hash: string;
}

/** What `info.version` says. */
export interface OpenApiOptions {
  readonly version: string;
}

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

  /** The body of `/openapi/v3`. */
  index(): OpenApiDocument {
    return this.#cached('index', () => {
      const paths = [...this.#groups().values()].map((kinds): [string, JsonObject] => {
        const path = addressOf(kinds);
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${this.#hashOf(path, kinds)}` }];
      });
      return { paths: Object.fromEntries(paths) };
    });
  }

  /** The body of `/openapi/v3/<path>`, with `path` as in the index: `api/v1`, `apis/apps/v1`. Undefined: there is none. */
  document(path: string): OpenApiDocument | undefined {
    const kinds = [...this.#groups().values()].find((group) => addressOf(group) === path);
    if (kinds === undefined) return undefined;
    return this.#cached(`v3/${path}`, () => this.#v3(kinds), { hash: this.#hashOf(path, kinds) });
  }

  /** The body of `/openapi/v2`, as JSON. It is large, and asked for by clients before 1.29 only. */
  v2(): OpenApiDocument {
    return this.#cached('v2', () => this.#v2());
  }

  /** The same as protobuf, which clients before 1.29 ask for. */
  v2Protobuf(): OpenApiDocument {
    return this.#cached('v2 protobuf', () => this.#v2(), { encode: openApiV2Protobuf });
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

  #cached(key: string, build: () => JsonObject, how: { readonly hash?: string; readonly encode?: (document: JsonObject) => Uint8Array } = {}): OpenApiDocument {
    this.#forgetOld();
    let document = this.#documents.get(key);
    if (document === undefined) {
      const bytes = how.encode?.(build()) ?? encodeJsonBytes(build());
      document = { bytes, hash: how.hash ?? digest(bytes) };
      this.#documents.set(key, document);
    }
    return document;
  }

  #forgetOld(): void {
    if (this.#generation === this.#scheme.generation) return;
    this.#documents.clear();
    this.#hashes.clear();
    this.#generation = this.#scheme.generation;
  }

  /** From what the document is made of, so that an index costs no documents. */
  #hashOf(path: string, kinds: readonly Kind[]): string {
    this.#forgetOld();
    let hash = this.#hashes.get(path);
    if (hash === undefined) {
      const facts = kinds.map(({ group, version, kind, resource, listKind, namespaced, verbs, subresources, schema }) =>
        [group, version, kind, resource, listKind, namespaced, verbs, subresources, schema]);
      hash = digest(encodeJsonBytes([this.#options.version, definitionsDigest(), facts]));
      this.#hashes.set(path, hash);
    }
    return hash;
  }

  #operations(kinds: readonly Kind[]): Operation[] {
    return kinds.flatMap((kind) => operationsOf(kind, this.#scheme, this.#scheme.isBuiltIn(kind)));
  }

  #v3(kinds: readonly Kind[]): JsonObject {
    const writer = new SchemaWriter('v3');
    const paths = pathsOf(this.#operations(kinds), (operation) => operationV3(operation, writer));
    const schemas = writeDefinitions(this.#scheme, kinds, withPatch(writer));
    return {
      openapi: '3.0.0', info: { title: 'Kubernetes', version: this.#options.version }, paths,
      components: { schemas: { ...schemas, ...PATCH_DEFINITION }, securitySchemes: SECURITY },
    };
  }

  #v2(): JsonObject {
    const writer = new SchemaWriter('v2');
    const kinds = this.#scheme.kinds();
    const paths = pathsOf(this.#operations(kinds), (operation) => operationV2(operation, writer));
    const definitions = writeDefinitions(this.#scheme, kinds, withPatch(writer));
    return {
      swagger: '2.0', info: { title: 'Kubernetes', version: this.#options.version }, paths,
      definitions: { ...definitions, ...PATCH_DEFINITION }, securityDefinitions: SECURITY, security: [{ BearerToken: [] }],
    };
  }
}

const SECURITY = { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } };
const PATCH_DEFINITION = { [`${META}.Patch`]: { type: 'object' } };

/** Patches have no definition among the compiled ones: any JSON may stand there. */
function withPatch(writer: SchemaWriter): SchemaWriter {
  writer.reached.delete(`${META}.Patch`);
  return writer;
}

const addressOf = ([first]: readonly Kind[]): string => (first === undefined ? '' : pathPrefix(first).slice(1));

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').toUpperCase();

let builtInDigest: string | undefined;

function definitionsDigest(): string {
  builtInDigest ??= digest(Buffer.from(JSON.stringify([builtInDefinitions(), enumFacts(), descriptionFacts()])));
  return builtInDigest;
}

function pathsOf(operations: readonly Operation[], write: (operation: Operation) => JsonObject): JsonObject {
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
      name: parameter.name, in: parameter.in, ...(parameter.in === 'path' ? { required: true } : {}), schema: { type: parameter.type, uniqueItems: true },
    })),
    ...(request === undefined ? {} : { requestBody: { content: content(request.definition, request.mediaTypes), ...(operation.method === 'delete' ? {} : { required: true }) } }),
    responses: {
      200: { description: 'OK', content: response === undefined ? { 'text/plain': { schema: { type: 'string' } } } : content(response, operation.answers) },
      401: { description: 'Unauthorized' },
    },
  };
}

function operationV2(operation: Operation, writer: SchemaWriter): JsonObject {
  const { request, response } = operation;
  return {
    ...commonOf(operation), schemes: ['https'], produces: response === undefined ? ['text/plain'] : operation.answers, consumes: request?.mediaTypes ?? ['*/*'],
    parameters: [
      ...operation.parameters.map((parameter) => ({
        name: parameter.name, in: parameter.in, ...(parameter.in === 'path' ? { required: true } : {}), type: parameter.type, uniqueItems: true,
      })),
      ...(request === undefined ? [] : [{ name: 'body', in: 'body', ...(operation.method === 'delete' ? {} : { required: true }), schema: writer.ref(request.definition) }]),
    ],
    responses: { 200: { description: 'OK', schema: response === undefined ? { type: 'string' } : writer.ref(response) }, 401: { description: 'Unauthorized' } },
  };
}

function commonOf(operation: Operation): JsonObject {
  return {
    operationId: operation.id, tags: [apiVersionOf(operation.kind).replaceAll('/', '_')],
    'x-kubernetes-action': operation.action, 'x-kubernetes-group-version-kind': gvkOf(operation.kind),
  };
}

