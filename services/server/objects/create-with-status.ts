/** Objects of a cluster's start whose status no controller writes. */
import type { ObjectService } from '../../../apimachinery/object-service.js';
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import { createUnlessThere } from './create-unless-there.js';

/** Writes the object where it is missing, and its status where that is empty: creating ignores it. */
export async function createWithStatus<T extends KubeObject & { readonly status?: object }>(
  service: ObjectService,
  resource: Resource<T>,
  object: T,
): Promise<void> {
  await createUnlessThere(service, resource, object);
  const name = object.metadata?.name ?? '';
  const stored = (await service.get({ resource, name })).object as T;
  if (Object.keys(stored.status ?? {}).length > 0) return;
  await service
    .update({
      resource,
      name,
      subresource: 'status',
      object: { ...stored, ...(object.status === undefined ? {} : { status: object.status }) },
    })
    .catch((error: unknown) => {
      // Another member was faster.
      if (!isApiError(error, 'Conflict')) throw error;
    });
}
