/** Writes that every member makes at every start: what is there stays as it is. */
import type { ObjectService } from '../../../apimachinery/object-service.js';
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';

export async function createUnlessThere<T extends KubeObject>(
  service: ObjectService,
  resource: Resource<T>,
  object: T,
): Promise<void> {
  const { name = '', namespace } = object.metadata ?? {};
  const target = { resource, name, ...(namespace === undefined ? {} : { namespace }) };
  try {
    await service.get({ ...target, resourceVersion: '0' });
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
    await service
      .create({ ...(namespace === undefined ? { resource } : { resource, namespace }), object })
      .catch((refused: unknown) => {
        // Another member was faster.
        if (
          !isApiError(refused, 'AlreadyExists') &&
          !(isApiError(refused, 'Invalid') && refused.message.includes('already allocated'))
        )
          throw refused;
      });
  }
}
