/**
 * YAML in, as YAML 1.1 the way Kubernetes' parser reads it (`yes` is a boolean, `0644` is octal), but without its
 * timestamps, base-60 numbers and binary tags. CVE-2019-11253 and CVE-2019-11254: size, tokens, depth, values and what
 * aliases copy are counted before, or while, values are built. Every step is linear in the bytes.
 *
 * As kube-apiserver does, a body is its first document, and of keys that stand twice the last one counts; they are
 * reported.
 */
import { Composer, CST, Parser } from 'yaml';
import type { Document, ParsedNode, Tags } from 'yaml';
import { isApiError } from '../status.js';
import { duplicateKeys } from './duplicates.js';
import { decodeJson } from './json.js';
import { checkSize, DEFAULT_LIMITS, tooDeep, tooManyKeys } from './limits.js';
import type { DecodeLimits } from './limits.js';
import { OPEN_BRACE } from './scan.js';
import { lexemesOfFirst } from './yaml-lexemes.js';
import { badYaml, YamlReader } from './yaml-values.js';

export interface YamlBody {
  readonly value: unknown;
  /** `line 5: key "a" already set in map`, as kube-apiserver's parser has it. */
  readonly duplicates: readonly string[];
}

/** The first document of a body; an empty body is null. Throws ApiError like decodeJson. */
export function decodeYaml(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): unknown {
  return readYaml(bytes, limits).value;
}

export function readYaml(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): YamlBody {
  checkSize(bytes, limits);
  const asJson = readAsJson(bytes, limits);
  if (asJson !== undefined) return asJson;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const document = firstDocument(text, limits);
  if (document === undefined) return { value: null, duplicates: [] };
  const [error] = document.errors;
  if (error !== undefined) throw badYaml(error.message);
  const reader = new YamlReader(text, limits);
  return { value: reader.read(document.contents), duplicates: reader.duplicates };
}

/**
 * JSON is YAML, clients send it under that name (`kubectl apply --server-side`), and it is read a hundred times as
 * fast.
 */
function readAsJson(bytes: Uint8Array, limits: DecodeLimits): YamlBody | undefined {
  if (bytes.find((byte) => byte > 0x20) !== OPEN_BRACE) return undefined;
  try {
    const value = decodeJson(bytes, limits);
    // Only the reader of YAML knows lines.
    return duplicateKeys(bytes).length === 0 ? { value, duplicates: [] } : undefined;
  } catch (error) {
    if (isApiError(error, 'RequestEntityTooLarge')) throw error;
    return undefined;
  }
}

function firstDocument(text: string, limits: DecodeLimits): Document.Parsed<ParsedNode> | undefined {
  const composer = new Composer({
    version: '1.1',
    schema: 'yaml-1.1',
    customTags: plainTags,
    merge: true,
    uniqueKeys: false,
    intAsBigInt: true,
    logLevel: 'silent',
  });
  let [document] = composer.compose(tokensOfFirst(text, limits));
  if (document === undefined) [document] = composer.end();
  return document as Document.Parsed<ParsedNode> | undefined;
}

/** Lexemes between two looks at how many keys the open maps have. */
const LOOK_AT_KEYS = 1024;

/**
 * Tokens up to the end of the first document: what follows it is not looked at. What is too much is refused while it is
 * read.
 */
function* tokensOfFirst(text: string, limits: DecodeLimits): Generator<CST.Token> {
  const parser = new Parser();
  const keys = new KeyLook(limits);
  try {
    for (const lexeme of lexemesOfFirst(text, limits)) {
      for (const token of parser.next(lexeme)) {
        yield judged(token, limits);
        if (token.type === 'document') return;
      }
      if (parser.stack.length > limits.depthMax + OPEN_BESIDES) throw tooDeep(limits.depthMax);
      keys.next(parser.stack);
    }
    for (const token of parser.end()) yield judged(token, limits);
  } catch (error) {
    // The parser leaves nested blocks by recursion.
    throw error instanceof RangeError ? tooDeep(limits.depthMax) : error;
  }
}

/** Besides the collections, a document, a scalar and a list's last, empty item may be open. */
const OPEN_BESIDES = 3;

/** Looks from time to time whether a map that is open has too many keys; those that are the same are one. */
class KeyLook {
  readonly #keysMax: number;
  #lexemes = 0;
  /** Items from which on a map is looked at: of those that were there the keys have been counted. */
  #from: number;

  constructor({ keysMax }: DecodeLimits) {
    this.#keysMax = keysMax;
    this.#from = keysMax;
  }

  next(open: readonly CST.Token[]): void {
    if (++this.#lexemes % LOOK_AT_KEYS !== 0) return;
    for (const token of open) {
      if (!CST.isCollection(token) || token.type === 'block-seq' || token.items.length <= this.#from) continue;
      const keys = new Set<string>();
      for (const { key } of token.items) if (key?.type === 'scalar') keys.add(key.source);
      if (keys.size > this.#keysMax) throw tooManyKeys(this.#keysMax);
      this.#from = token.items.length + this.#keysMax;
    }
  }
}

/** The first thing that is wrong is what is told: to collect them all takes longer than everything else. */
function judged(token: CST.Token, { depthMax }: DecodeLimits): CST.Token {
  if (token.type === 'error')
    throw badYaml(token.source === '' ? token.message : `${token.message}: ${JSON.stringify(token.source)}`);
  checkDepth(token, depthMax);
  return token;
}

/** YAML 1.1 without what Kubernetes never had. */
function plainTags(tags: Tags): Tags {
  const unwanted = ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`);
  return tags.filter(
    (tag) => typeof tag !== 'object' || !(unwanted.includes(tag.tag) || ('format' in tag && tag.format === 'TIME')),
  );
}

/** The composer recurses: it must not see what nests without end. This walk does not. */
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
