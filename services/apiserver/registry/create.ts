import type { KubeObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { CachedObject, encodeForStore } from '../cacher/cached-object.js';
import { cloneJson } from '../../../apimachinery/value.js';
import { step } from './context.js';
import type { Call } from './context.js';
import { metaOf } from './metadata.js';
import { prepareCreate } from './prepare.js';
import { storageKey } from './target.js';
import type { Target } from './target.js';
import { put, readFresh } from './transaction.js';
import { toStored } from './update.js';

/** Names tried for a generateName before the client is told (k8s.io/apiserver's maxNameGenerationCreateAttempts). */
const NAME_ATTEMPTS_MAX = 8;
const GUARD_ATTEMPTS_MAX = 32;

/** `object` has been checked against type and scope, and is not changed. */
export async function createObject(
  call: Call,
  target: Target,
  object: KubeObject,
  how: { readonly options: Readonly<Record<string, unknown>>; readonly fieldsTracked?: boolean },
): Promise<CachedObject> {
  const {
    registry,
    options: { signal, report },
  } = call;
  const { kind } = target;
  const generated = (metaOf(object).name ?? '') === '';
  let names = 1;
  for (let attempt = 0; attempt < GUARD_ATTEMPTS_MAX;) {
    await step(call, 'copying');
    const { object: draft, guard } = await prepareCreate(call, target, cloneJson(object), { ...how, attempt });
    const name = metaOf(draft).name ?? '';
    const location = { key: storageKey(kind, target.namespace, name), namespace: target.namespace ?? '', name };
    await step(call, 'encoding');
    if (call.dryRun) {
      if ((await readFresh(registry, location, signal)) !== undefined) throw apiErrors.alreadyExists(kind, name);
      report?.created();
      return new CachedObject(location, 0, { json: encodeForStore(draft), object: draft });
    }
    const outcome = await put(registry, { location, expectedRevision: 0, guard, signal }, toStored(kind, draft));
    if (outcome.kind === 'written') {
      report?.created();
      return outcome.object.as(kind);
    }
    if (outcome.kind === 'guard') attempt++;
    else if (!generated || names++ >= NAME_ATTEMPTS_MAX) throw apiErrors.alreadyExists(kind, name);
  }
  throw apiErrors.serviceUnavailable('what the object needs was taken by others each time; please try again');
}
