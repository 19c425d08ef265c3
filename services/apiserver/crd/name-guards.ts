/**
 * Two definitions that are written at the same moment, each at another member, must not both be given a name. For each
 * name that a write asks for there is a key; whoever decides by what is there now writes these keys along, on the
 * condition that nobody has since. Keys stay when a definition goes: they say that somebody decided, not that somebody
 * has the name.
 */
import { at, str, strs } from '../../../apimachinery/kinds/lib/value.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { jsonEqual } from '../../../apimachinery/value.js';
import type { Op, Store } from '../../store/store.js';
import { storeCall } from '../registry/store-errors.js';
import { NO_GUARD } from '../registry/record.js';
import type { WriteGuard } from '../ports.js';

const NAMES = '/navarch/claims/definitionnames/';

/** Resources of a group share a space of names, and their kinds another. */
function keysOf(definition: KubeObject): readonly Uint8Array[] {
  const names = at(definition, 'spec', 'names');
  const group = str(at(definition, 'spec', 'group'));
  const resources = [str(at(names, 'plural')), str(at(names, 'singular')), ...strs(at(names, 'shortNames'))].map(
    (name) => `resource/${name}`,
  );
  const kinds = [str(at(names, 'kind')), str(at(names, 'listKind'))].map((name) => `kind/${name}`);
  return [...new Set([...resources, ...kinds])].map((name) => Buffer.from(`${NAMES}${group}/${name}`));
}

/**
 * Read before the others' names are: what comes in between is found out when the write is made. A name that is kept
 * needs no guard.
 */
export async function guardNames(store: Store, draft: KubeObject): Promise<WriteGuard> {
  if (jsonEqual(at(draft, 'spec', 'names'), at(draft, 'status', 'acceptedNames'))) return NO_GUARD;
  const keys = keysOf(draft);
  const revisions = await storeCall(
    Promise.all(keys.map(async (key) => (await store.range({ key })).kvs[0]?.modRevision ?? 0)),
  );
  const value = Buffer.from(draft.metadata?.name ?? '');
  return {
    compare: keys.map((key, i) => ({ target: 'modRevision', key, op: '=', value: revisions[i] ?? 0 })),
    ops: keys.map((key): Op => ({ kind: 'put', key, value })),
  };
}
