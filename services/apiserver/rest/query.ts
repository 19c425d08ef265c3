/** Options of requests, from the query and from bodies of DeleteOptions. Everything malformed is a BadRequest. */
import type { DeleteOptions, ListRequest } from '../../../apimachinery/object-service.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import type { FieldError } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import { PROPAGATION_POLICIES, deleteOptionErrors } from '../registry/delete-options.js';
import { checkListOptions } from './list-options.js';

type Query = URLSearchParams;

const VERSION_MATCHES = ['Exact', 'NotOlderThan'] as const;
const FIELD_VALIDATIONS = ['Ignore', 'Warn', 'Strict'] as const;

export function isOneOf<T extends string>(value: unknown, allowed: readonly T[]): value is T {
  return (allowed as readonly unknown[]).includes(value);
}

/** As Go's conversion of query parameters reads and refuses it; a value below the minimum is as good as none. */
export function integerOption(query: Query, name: string, minimum = 0): number | undefined {
  const value = signedOption(query, name);
  return value === undefined || value < minimum ? undefined : value;
}

/** An int64, as it was sent; beyond what a double counts exactly, the last that it does. */
export function signedOption(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const refused = (why: string) =>
    apiErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text.slice(0, 64))}: ${why}`);
  if (!/^[+-]?\d+$/.test(text)) throw refused('invalid syntax');
  const value = Number(text);
  if (text.replace(/^[+-]?0*/, '').length > 19 || (value !== 0 && BigInt.asIntN(64, BigInt(text)) !== BigInt(text)))
    throw refused('value out of range');
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
}

/** `true`, `1` or a bare name are true, as Go's conversion of query parameters has it. */
export function booleanOption(query: Query, name: string): boolean | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return text !== 'false' && text !== '0';
}

export interface ListOptions extends Pick<
  ListRequest,
  'labelSelector' | 'fieldSelector' | 'limit' | 'continue' | 'resourceVersion' | 'resourceVersionMatch'
> {
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export function listOptions(query: Query): ListOptions {
  const match = textOption(query, 'resourceVersionMatch');
  const watch = booleanOption(query, 'watch') ?? false;
  checkListOptions({
    watch,
    sendInitialEvents: booleanOption(query, 'sendInitialEvents'),
    resourceVersionMatch: match ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    continue: query.get('continue') ?? '',
  });
  return defined({
    watch,
    allowWatchBookmarks: booleanOption(query, 'allowWatchBookmarks') ?? false,
    sendInitialEvents: booleanOption(query, 'sendInitialEvents'),
    timeoutSeconds: integerOption(query, 'timeoutSeconds'),
    labelSelector: textOption(query, 'labelSelector'),
    fieldSelector: textOption(query, 'fieldSelector'),
    limit: limitOf(query),
    continue: textOption(query, 'continue'),
    resourceVersion: textOption(query, 'resourceVersion'),
    resourceVersionMatch: isOneOf(match, VERSION_MATCHES) ? match : undefined,
  });
}

/**
 * At version 0 any state will do, and the whole list is at hand: client-go takes a part of it for a sign that nothing
 * is cached here.
 */
function limitOf(query: Query): number | undefined {
  const limit = integerOption(query, 'limit');
  return query.get('resourceVersion') === '0' && (query.get('continue') ?? '') === '' ? undefined : limit;
}

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}

const FIELD_MANAGER_LENGTH_MAX = 128;
const FIELD_VALIDATIONS_SHOWN = ['', 'Ignore', 'Strict', 'Warn'];

export type WriteKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions';

/** `userAgent` gives the manager's name when the client named none: what stands before its first slash. */
export function writeOptions(
  query: Query,
  userAgent: string,
  kind: WriteKind,
  others: readonly FieldError[] = [],
): WriteOptions {
  const named = textOption(query, 'fieldManager');
  const validation = textOption(query, 'fieldValidation');
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  const errors = [...others, ...fieldManagerErrors(named ?? '')];
  if (dryRun.some((value) => value !== 'All')) errors.push(fieldErrors.notSupported('dryRun', dryRun, ['All']));
  if (validation !== undefined && !isOneOf(validation, FIELD_VALIDATIONS))
    errors.push(fieldErrors.notSupported('fieldValidation', validation, FIELD_VALIDATIONS_SHOWN));
  if (errors.length > 0) throw apiErrors.invalid({ group: 'meta.k8s.io', kind }, '', errors);
  return defined({
    dryRun: dryRun.length > 0,
    fieldManager: named ?? /^[\x20-\x2e\x30-\x7e]{1,128}/.exec(userAgent)?.[0],
    fieldValidation: isOneOf(validation, FIELD_VALIDATIONS) ? validation : undefined,
  });
}

function fieldManagerErrors(name: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(name) > FIELD_MANAGER_LENGTH_MAX)
    errors.push(fieldErrors.tooLong('fieldManager', FIELD_MANAGER_LENGTH_MAX));
  const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(name);
  if (unprintable !== null) {
    const code = (unprintable[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    errors.push(
      fieldErrors.invalid(
        'fieldManager',
        name,
        `invalid character U+${code} (at position ${Buffer.byteLength(name.slice(0, unprintable.index))})`,
      ),
    );
  }
  return errors;
}

export function deleteOptions(query: Query, body: unknown): DeleteOptions {
  const given = isObject(body) ? body : {};
  if (typeof given['kind'] === 'string' && given['kind'] !== '' && given['kind'] !== 'DeleteOptions') {
    throw apiErrors.badRequest(`no kind ${JSON.stringify(given['kind'].slice(0, 64))} is registered for DeleteOptions`);
  }
  const named = given['propagationPolicy'] ?? textOption(query, 'propagationPolicy');
  const orphan = given['orphanDependents'] ?? booleanOption(query, 'orphanDependents');
  const dryRun = (Array.isArray(given['dryRun']) ? given['dryRun'].map(String) : query.getAll('dryRun')).filter(
    (value) => value !== '',
  );
  const errors = deleteOptionErrors({ propagationPolicy: named, orphanDependents: orphan, dryRun });
  if (errors.length > 0) throw apiErrors.invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  const grace = given['gracePeriodSeconds'] ?? integerOption(query, 'gracePeriodSeconds', Number.MIN_SAFE_INTEGER);
  if (grace !== undefined && !Number.isSafeInteger(grace)) {
    throw apiErrors.badRequest(
      `json: cannot unmarshal ${typeof grace === 'string' ? 'string' : 'value'} into Go struct field DeleteOptions.gracePeriodSeconds of type int64`,
    );
  }
  const preconditions = isObject(given['preconditions']) ? given['preconditions'] : undefined;
  return defined({
    propagationPolicy: isOneOf(named, PROPAGATION_POLICIES) ? named : orphanPolicy(orphan),
    gracePeriodSeconds: grace as number | undefined,
    dryRun: dryRun.length > 0,
    preconditions:
      preconditions === undefined
        ? undefined
        : defined({
            uid: stringOf(preconditions['uid']),
            resourceVersion: stringOf(preconditions['resourceVersion']),
          }),
  });
}

/** The older way to say Orphan. */
function orphanPolicy(orphan: unknown): 'Orphan' | 'Background' | undefined {
  if (typeof orphan !== 'boolean') return undefined;
  return orphan ? 'Orphan' : 'Background';
}

function textOption(query: Query, name: string): string | undefined {
  const text = query.get(name);
  return text === null || text === '' ? undefined : text;
}

const stringOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function defined<const T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}
