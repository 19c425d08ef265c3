/**
 * YAML in, as YAML 1.1 the way Kubernetes' parser reads it (`yes` is a boolean, `0644` is octal), but without its
 * timestamps, base-60 numbers and binary tags. CVE-2019-11253 and CVE-2019-11254: size, tokens, depth, values and what aliases copy are
 * counted before, or while, values are built. Every step is linear in the bytes.
 *
 * As kube-apiserver does, a body is its first document, and of keys that stand twice the last one counts; they are reported.
 */
import { Composer, CST, Lexer, Parser } from 'yaml';
import type { Document, ParsedNode, Tags } from 'yaml';
import { isApiError } from '../status.js';
import { duplicateKeys } from './duplicates.js';
import { decodeJson } from './json.js';
import { checkSize, DEFAULT_LIMITS, tooDeep, tooManyValues, YAML_ALIASES_MAX } from './limits.js';
import type { DecodeLimits } from './limits.js';
import { OPEN_BRACE } from './scan.js';
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

/** JSON is YAML, clients send it under that name (`kubectl apply --server-side`), and it is read a hundred times as fast. */
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
  const composer = new Composer({ version: '1.1', schema: 'yaml-1.1', customTags: plainTags, merge: true, uniqueKeys: false, intAsBigInt: true, logLevel: 'silent' });
  let [document] = composer.compose(tokensOfFirst(text, limits));
  if (document === undefined) [document] = composer.end();
  return document as Document.Parsed<ParsedNode> | undefined;
}

/** Spaces, line ends, comments and indicators are tokens, too: a `key: value` has six. */
const TOKENS_PER_VALUE = 8;

/** Tokens up to the end of the first document: what follows it is not looked at. */
function* tokensOfFirst(text: string, limits: DecodeLimits): Generator<CST.Token> {
  const parser = new Parser();
  const tokensMax = TOKENS_PER_VALUE * limits.valuesMax;
  let [tokens, aliases] = [0, 0];
  try {
    for (const lexeme of new Lexer().lex(text)) {
      tokens += 1;
      if (tokens > tokensMax) throw tooManyValues(limits.valuesMax);
      if (lexeme.startsWith('*')) aliases += 1;
      if (aliases > YAML_ALIASES_MAX) throw badYaml(`more than ${YAML_ALIASES_MAX} aliases`);
      for (const token of parser.next(lexeme)) {
        checkDepth(token, limits.depthMax);
        yield token;
        if (token.type === 'document') return;
      }
    }
    for (const token of parser.end()) {
      checkDepth(token, limits.depthMax);
      yield token;
    }
  } catch (error) {
    // The parser leaves nested blocks by recursion.
    throw error instanceof RangeError ? tooDeep(limits.depthMax) : error;
  }
}

/** YAML 1.1 without what Kubernetes never had. */
function plainTags(tags: Tags): Tags {
  const unwanted = ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`);
  return tags.filter((tag) => typeof tag !== 'object' || !(unwanted.includes(tag.tag) || ('format' in tag && tag.format === 'TIME')));
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
