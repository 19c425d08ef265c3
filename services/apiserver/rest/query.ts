/** Options of requests, from the query and from bodies of DeleteOptions. Everything malformed is a BadRequest. */
import { encodeJson } from '../../../apimachinery/codec/json-value.js';
import type { DeleteOptions, ListRequest } from '../../../apimachinery/object-service.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { checkListOptions } from './list-options.js';
import { isObject } from '../../../apimachinery/value.js';

type Query = URLSearchParams;

const VERSION_MATCHES = ['Exact', 'NotOlderThan'] as const;
const FIELD_VALIDATIONS = ['Ignore', 'Warn', 'Strict'] as const;
const POLICIES = ['Orphan', 'Background', 'Foreground'] as const;

function isOneOf<T extends string>(value: unknown, allowed: readonly T[]): value is T {
  return (allowed as readonly unknown[]).includes(value);
}

export function integerOption(query: Query, name: string, minimum = 0): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!/^-?\d{1,15}$/.test(text) || value < minimum) {
    throw apiErrors.badRequest(`invalid query parameter ${name}=${JSON.stringify(text.slice(0, 64))}: an integer not below ${minimum} was expected`);
  }
  return value;
}

/** `true`, `1` or a bare name are true, as Go's conversion of query parameters has it. */
export function booleanOption(query: Query, name: string): boolean | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return text !== 'false' && text !== '0';
}

export interface ListOptions extends Pick<
  ListRequest, 'labelSelector' | 'fieldSelector' | 'limit' | 'continue' | 'resourceVersion' | 'resourceVersionMatch'> {
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export function listOptions(query: Query): ListOptions {
  const match = textOption(query, 'resourceVersionMatch');
  const watch = booleanOption(query, 'watch') ?? false;
  checkListOptions({
    watch, sendInitialEvents: booleanOption(query, 'sendInitialEvents'), resourceVersionMatch: match ?? '',
    resourceVersion: query.get('resourceVersion') ?? '', continue: query.get('continue') ?? '',
  });
  return defined({
    watch,
    allowWatchBookmarks: booleanOption(query, 'allowWatchBookmarks') ?? false,
    sendInitialEvents: booleanOption(query, 'sendInitialEvents'),
    timeoutSeconds: integerOption(query, 'timeoutSeconds'),
    labelSelector: textOption(query, 'labelSelector'),
    fieldSelector: textOption(query, 'fieldSelector'),
    limit: integerOption(query, 'limit'),
    continue: textOption(query, 'continue'),
    resourceVersion: textOption(query, 'resourceVersion'),
    resourceVersionMatch: isOneOf(match, VERSION_MATCHES) ? match : undefined,
  });
}

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}

const FIELD_MANAGER_LENGTH_MAX = 128;

/** `userAgent` gives the manager's name when the client named none: what stands before its first slash. */
export function writeOptions(query: Query, userAgent: string): WriteOptions {
  const fieldManager = textOption(query, 'fieldManager') ?? (/^[\x20-\x2e\x30-\x7e]{1,128}/.exec(userAgent)?.[0]);
  if (fieldManager !== undefined && fieldManager.length > FIELD_MANAGER_LENGTH_MAX) {
    throw apiErrors.badRequest(`fieldManager: Too long: may not be more than ${FIELD_MANAGER_LENGTH_MAX} bytes`);
  }
  const validation = textOption(query, 'fieldValidation');
  if (validation !== undefined && !isOneOf(validation, FIELD_VALIDATIONS)) {
    throw apiErrors.badRequest(`fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`);
  }
  return defined({ dryRun: isDryRun(query.getAll('dryRun')), fieldManager, fieldValidation: validation });
}

export function deleteOptions(query: Query, body: unknown): DeleteOptions {
  const given = isObject(body) ? body : {};
  const policy = given['propagationPolicy'] ?? textOption(query, 'propagationPolicy')
    ?? orphanPolicy(given['orphanDependents'] ?? booleanOption(query, 'orphanDependents'));
  if (policy !== undefined && !isOneOf(policy, POLICIES)) {
    throw apiErrors.badRequest(`propagationPolicy: Unsupported value: ${encodeJson(policy)}: supported values: "Foreground", "Background", "Orphan"`);
  }
  const grace = given['gracePeriodSeconds'] ?? integerOption(query, 'gracePeriodSeconds', Number.MIN_SAFE_INTEGER);
  if (grace !== undefined && !Number.isSafeInteger(grace)) throw apiErrors.badRequest('gracePeriodSeconds: an integer was expected');
  const preconditions = isObject(given['preconditions']) ? given['preconditions'] : undefined;
  const dryRun = isDryRun(Array.isArray(given['dryRun']) ? given['dryRun'].map(String) : query.getAll('dryRun'));
  return defined({
    propagationPolicy: policy, gracePeriodSeconds: grace as number | undefined, dryRun,
    preconditions: preconditions === undefined ? undefined : defined({
      uid: stringOf(preconditions['uid']), resourceVersion: stringOf(preconditions['resourceVersion']),
    }),
  });
}

/** The older way to say Orphan. */
function orphanPolicy(orphan: unknown): 'Orphan' | 'Background' | undefined {
  if (typeof orphan !== 'boolean') return undefined;
  return orphan ? 'Orphan' : 'Background';
}

function isDryRun(values: readonly string[]): boolean {
  const given = values.filter((value) => value !== '');
  if (given.some((value) => value !== 'All')) throw apiErrors.badRequest(`dryRun: Unsupported value: ${JSON.stringify(given[0])}: supported values: "All"`);
  return given.length > 0;
}

function textOption(query: Query, name: string): string | undefined {
  const text = query.get(name);
  return text === null || text === '' ? undefined : text;
}

const stringOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

function defined<const T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}
