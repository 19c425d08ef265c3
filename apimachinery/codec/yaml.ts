/**
 * YAML in, as YAML 1.1 the way Kubernetes' parser reads it (`yes` is a boolean, `0644` is octal), but without its
 * timestamps, base-60 numbers and binary tags. CVE-2019-11253 and CVE-2019-11254: size, depth and the cost of aliases are
 * capped before values are built.
 */
import { Composer, CST, Parser } from 'yaml';
import type { Document, ParsedNode, Tags } from 'yaml';
import { int64Of } from '../int64.js';
import { apiErrors } from '../status.js';
import { isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { checkSize, tooDeep } from './json.js';
import { DEFAULT_LIMITS } from './limits.js';
import type { DecodeLimits } from './limits.js';

const ALIASES_MAX = 100;
const DOCUMENTS_MAX = 1000;

/** The one document of a body; an empty body is null. Throws ApiError like decodeJson. */
export function decodeYaml(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): unknown {
  const documents = decodeYamlDocuments(bytes, limits);
  if (documents.length > 1) throw badYaml(`${documents.length} documents; one was expected`);
  return documents[0] ?? null;
}

/** All documents of a stream; empty ones are left out. */
export function decodeYamlDocuments(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): unknown[] {
  checkSize(bytes, limits);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const composer = new Composer({ version: '1.1', schema: 'yaml-1.1', customTags: plainTags, merge: true, uniqueKeys: true, intAsBigInt: true, logLevel: 'silent' });
  const tokens: CST.Token[] = [];
  for (const token of new Parser().parse(text)) {
    checkDepth(token, limits.depthMax);
    tokens.push(token);
  }
  const values: unknown[] = [];
  for (const document of composer.compose(tokens)) {
    if (values.length >= DOCUMENTS_MAX) throw badYaml(`more than ${DOCUMENTS_MAX} documents`);
    const value = valueOf(document, limits);
    if (value !== null) values.push(value);
  }
  return values;
}

function badYaml(why: string): Error {
  return apiErrors.badRequest(`couldn't parse the body as YAML: ${why}`);
}

/** YAML 1.1 without what Kubernetes never had. */
function plainTags(tags: Tags): Tags {
  const unwanted = ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`);
  return tags.filter((tag) => typeof tag !== 'object' || !(unwanted.includes(tag.tag) || ('format' in tag && tag.format === 'TIME')));
}

/** The composer recurses: it must not see what nests without end. The parser does not, nor does this walk. */
function checkDepth(root: CST.Token, depthMax: number): void {
  const queue: { token: CST.Token | null | undefined; depth: number }[] = [{ token: root, depth: 0 }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { token, depth } = next;
    if (token === null || token === undefined) continue;
    if (depth > depthMax) throw tooDeep(depthMax);
    if (token.type === 'document') queue.push({ token: token.value, depth });
    else if (CST.isCollection(token)) {
      for (const item of token.items) {
        if ('key' in item) queue.push({ token: item.key, depth: depth + 1 });
        queue.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
}

function valueOf(document: Document.Parsed<ParsedNode>, limits: DecodeLimits): unknown {
  const [error] = document.errors;
  if (error !== undefined) throw badYaml(error.message);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX, mapAsMap: false });
  } catch (failure) {
    throw badYaml(failure instanceof Error ? failure.message : String(failure));
  }
  return new TreeCopy(limits).copy(value, 0);
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw badYaml(`${value} has no form in JSON`);
  return value;
}

/** What aliases share becomes a tree of its own parts, within what a body of the largest size could hold at all. */
class TreeCopy {
  readonly #limits: DecodeLimits;
  #nodesLeft: number;

  constructor(limits: DecodeLimits) {
    this.#limits = limits;
    this.#nodesLeft = limits.bytesMax;
  }

  copy(value: unknown, depth: number): unknown {
    this.#nodesLeft -= 1;
    if (this.#nodesLeft < 0) throw badYaml('it grows beyond the limit of size when its aliases are followed');
    if (depth > this.#limits.depthMax) throw tooDeep(this.#limits.depthMax);
    if (Array.isArray(value)) return value.map((item) => this.copy(item, depth + 1));
    if (typeof value === 'number') return finite(value);
    if (typeof value === 'bigint') return int64Of(value) ?? finite(Number(value));
    if (!isObject(value)) return value ?? null;
    const copy: JsonObject = {};
    for (const key of Object.keys(value)) setOwn(copy, key, this.copy(value[key], depth + 1));
    return copy;
  }
}
