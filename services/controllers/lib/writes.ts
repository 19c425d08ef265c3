/** Writes that meet a newer version, another object under the same name, or nothing. */
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import type { Client } from '../../../sdk/client.js';
import { refOf } from '../../../sdk/key.js';
import { equalJson } from './equal.js';
import { ignoring } from './errors.js';

interface Deletion {
  readonly object: KubeObject;
  readonly signal: AbortSignal;
  readonly gracePeriodSeconds?: number;
}

/** Deletes this very object: another one under its name stays. */
export async function deleteSame(
  client: Client,
  resource: Resource,
  { object, signal, gracePeriodSeconds }: Deletion,
): Promise<void> {
  const preconditions = { uid: object.metadata?.uid ?? '' };
  const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
  await client
    .delete(resource, refOf(object), { ...grace, preconditions, signal })
    .catch(ignoring('NotFound', 'Conflict'));
}

type WithStatus = KubeObject & { readonly status?: unknown };

interface StatusWrite<T extends WithStatus> {
  /** As the status was computed from it. */
  readonly object: T;
  readonly status: NonNullable<T['status']>;
  readonly signal: AbortSignal;
  /**
   * Only for a controller that owns the whole status: after a conflict, write it once more, onto the newest version.
   * `observedGeneration` in it still names the spec that it describes.
   */
  readonly retry?: boolean;
}

/**
 * Writes the status if it differs. Returns what the API holds then; undefined: the object is gone, or another one has
 * its name.
 */
export async function writeStatus<T extends WithStatus>(
  client: Client,
  resource: Resource<T>,
  write: StatusWrite<T>,
): Promise<T | undefined> {
  const { object, status, signal } = write;
  if (equalJson(status, object.status)) return object;
  try {
    return await client.updateStatus(resource, { ...object, status }, { signal });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    if (write.retry !== true || !isApiError(error, 'Conflict')) throw error;
  }
  const fresh = await client.get(resource, refOf(object), { signal }).catch(ignoring('NotFound'));
  if (fresh === undefined || fresh.metadata?.uid !== object.metadata?.uid) return undefined;
  return writeStatus(client, resource, { object: fresh, status, signal });
}
