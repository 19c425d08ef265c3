/** Lists: from the cache as of now, or from the store as of a revision that the cache has left behind. */
import { unclassified } from '../../../apimachinery/patch/errors.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { ObjectList, Pace } from '../../../apimachinery/object-service.js';
import type { ListMeta } from '../../../apimachinery/object.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { StoreError } from '../../store/store.js';
import type { Revision } from '../../store/store.js';
import { ByteSteps } from '../work/byte-steps.js';
import { isShownAsStored } from './cached-object.js';
import type { CachedObject } from './cached-object.js';
import type { Cacher } from './cacher.js';
import { decodeContinue, encodeContinue } from './continue-token.js';
import { prefixEnd } from './feed.js';
import type { ResourceCache } from './resource-cache.js';
import { selects } from './selection.js';
import type { Selection } from './selection.js';

export interface ListQuery {
  readonly selection: Selection;
  /** 0: everything. */
  readonly limit: number;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly pace?: Pace | undefined;
}

export interface CachedList extends ObjectList {
  readonly items: readonly CachedObject[];
}

interface Page {
  readonly items: readonly CachedObject[];
  readonly revision: number;
  /** Key (without prefix) of the last object looked at, when there is more behind it. */
  readonly next: string | undefined;
  readonly remaining: number | undefined;
}

/** The rules of "Resource versions" and "Retrieving large results sets in chunks" in the Kubernetes API concepts. */
export async function list(cacher: Cacher, kind: Kind, query: ListQuery): Promise<CachedList> {
  const cache = cacher.of(kind);
  if (query.continue !== undefined && query.continue !== '') {
    return answer(kind, await nextPage(cacher, cache, query, query.continue), query.pace);
  }
  const asked = versionOfList(query);
  if (query.resourceVersionMatch === 'Exact' && asked !== undefined) {
    return answer(kind, await pageAt(cacher, cache, query, asked, undefined), query.pace);
  }
  if (asked === undefined) await cacher.fresh(query.signal);
  else if (asked > 0) await cacher.reached(asked, query.signal);
  return answer(kind, await pageNow(cacher, cache, query, undefined), query.pace);
}

/**
 * Undefined: none was given. What is not a version is refused as kube-apiserver does: a plain error, and a BadRequest
 * of a list.
 */
export function parseResourceVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw unclassified(notAVersion(text));
  return Number(text);
}

const notAVersion = (text: string): string => {
  const shown = JSON.stringify(text.slice(0, 64));
  return `resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: ${/^\d+$/.test(text) ? 'value out of range' : 'invalid syntax'}`;
};

function versionOfList({ resourceVersion: text, resourceVersionMatch: match }: ListQuery): number | undefined {
  if (text === undefined || text === '') {
    if (match !== undefined)
      throw apiErrors.badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided');
    return undefined;
  }
  if (!/^\d{1,15}$/.test(text)) throw apiErrors.badRequest(`invalid resource version: ${notAVersion(text)}`);
  if (match === 'Exact' && Number(text) === 0)
    throw apiErrors.badRequest('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  return Number(text);
}

async function nextPage(cacher: Cacher, cache: ResourceCache, query: ListQuery, text: string): Promise<Page> {
  if (query.resourceVersionMatch !== undefined)
    throw apiErrors.badRequest('resourceVersionMatch is forbidden when continue is provided');
  const token = decodeContinue(text);
  if (query.resourceVersion !== undefined && query.resourceVersion !== '' && query.resourceVersion !== '0') {
    throw apiErrors.badRequest('specifying resource version is not allowed when using continue');
  }
  if (token.revision === 'latest') {
    await cacher.fresh(query.signal);
    return pageNow(cacher, cache, query, token.after);
  }
  return pageAt(cacher, cache, query, token.revision, token.after);
}

async function pageNow(
  cacher: Cacher,
  cache: ResourceCache,
  query: ListQuery,
  after: string | undefined,
): Promise<Page> {
  const { selection, limit } = query;
  const { revision } = cacher;
  if (selection.matches !== undefined) return { ...(await matchingPage(cache, query, after)), revision };
  const items: CachedObject[] = [];
  for (const object of cache.select(selection, after)) {
    if (limit > 0 && items.length === limit) {
      const last = relativeKey(cache, items.at(-1));
      return {
        items,
        revision,
        next: last,
        remaining: selection.name === undefined ? cache.count(selection.namespace, last) : undefined,
      };
    }
    items.push(object);
  }
  return { items, revision, next: undefined, remaining: undefined };
}

/** Bytes of objects that are looked at, or converted, in one step: each may have to be parsed. */
const STEP_BYTES = 256 * 1024;

/**
 * What selectors look at may be much more than what they select. What is there is taken at once, and looked at in
 * steps.
 */
async function matchingPage(
  cache: ResourceCache,
  { selection, limit, pace }: ListQuery,
  after: string | undefined,
): Promise<Omit<Page, 'revision'>> {
  const items: CachedObject[] = [];
  const steps = new ByteSteps({ pace, name: 'selecting', step_bytes: STEP_BYTES });
  for (const object of [...cache.select({ ...selection, matches: undefined }, after)]) {
    const turn = steps.before(object.json.length);
    if (turn !== undefined) await turn;
    if (!selects(selection, object)) continue;
    if (limit > 0 && items.length === limit)
      return { items, next: relativeKey(cache, items.at(-1)), remaining: undefined };
    items.push(object);
  }
  return { items, next: undefined, remaining: undefined };
}

async function pageAt(
  cacher: Cacher,
  cache: ResourceCache,
  query: ListQuery,
  revision: number,
  after: string | undefined,
): Promise<Page> {
  if (revision > cacher.revision) await cacher.reached(revision, query.signal);
  try {
    if (cache.lastChange > revision) return await pageFromStore(cacher, cache, query, { revision, after });
    await checkHistory(cacher, cache, { revision, signal: query.signal });
    return { ...(await pageNow(cacher, cache, query, after)), revision };
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'compacted')) throw error;
    throw after === undefined
      ? apiErrors.expired(`The resourceVersion for the provided list is too old.`)
      : expiredContinue(after);
  }
}

/**
 * What has not changed since could be told from here, but a version expires for all kinds together, as clients expect.
 * Throws 'compacted'.
 */
async function checkHistory(
  cacher: Cacher,
  cache: ResourceCache,
  { revision, signal }: { readonly revision: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  if (revision >= cacher.revision) return;
  await cacher.store.range(
    { key: Buffer.from(cache.prefix), revision: revision as Revision, limit: 1, keysOnly: true, serializable: true },
    signal === undefined ? {} : { signal },
  );
}

async function pageFromStore(
  cacher: Cacher,
  cache: ResourceCache,
  query: ListQuery,
  from: { readonly revision: number; readonly after: string | undefined },
): Promise<Page> {
  const { selection, limit } = query;
  const scope = selection.namespace === undefined ? cache.prefix : `${cache.prefix}${selection.namespace}/`;
  const rangeEnd = prefixEnd(scope);
  const revision = from.revision as Revision;
  const items: CachedObject[] = [];
  let key = Buffer.from(from.after === undefined ? scope : `${cache.prefix}${from.after}\0`);
  for (;;) {
    const range = await cacher.store.range(
      { key, rangeEnd, revision, limit: limit === 0 ? STORE_PAGE : Math.min(limit + 1, STORE_PAGE) },
      query.signal === undefined ? {} : { signal: query.signal },
    );
    for (const kv of range.kvs) {
      if (limit > 0 && items.length === limit)
        return { items, revision, next: relativeKey(cache, items.at(-1)), remaining: undefined };
      const object = cache.read(kv);
      if (object !== undefined && selects(selection, object)) items.push(object);
    }
    const last = range.kvs.at(-1);
    if (!range.more || last === undefined) return { items, revision, next: undefined, remaining: undefined };
    key = Buffer.concat([last.key, Buffer.of(0)]);
  }
}

const STORE_PAGE = 1000;

const relativeKey = (cache: ResourceCache, object: CachedObject | undefined): string | undefined =>
  object?.location.key.slice(cache.prefix.length);

async function answer(kind: Kind, page: Page, pace: Pace | undefined): Promise<CachedList> {
  const metadata: ListMeta = {
    resourceVersion: String(page.revision),
    ...(page.next === undefined ? {} : { continue: encodeContinue({ revision: page.revision, after: page.next }) }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  const steps = new ByteSteps({ pace, name: 'converting', step_bytes: STEP_BYTES });
  const items: CachedObject[] = [];
  for (const object of page.items) {
    const turn = isShownAsStored(kind) ? undefined : steps.before(object.json.length);
    if (turn !== undefined) await turn;
    items.push(object.as(kind));
  }
  return { metadata, items };
}

/** 410 with a token by which the client may go on all the same, in the newest state. */
function expiredContinue(after: string): ApiError {
  const { status } = apiErrors.expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue ' +
      'parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided ' +
      'token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was ' +
      'returned and now may show up in the list.',
  );
  return new ApiError({ ...status, metadata: { continue: encodeContinue({ revision: 'latest', after }) } });
}
