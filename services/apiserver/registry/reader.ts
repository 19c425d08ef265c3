import type { Scheme } from '../../../apimachinery/kind.js';
import type { ResourceId } from '../../../apimachinery/object.js';
import type { Kind } from '../../../apimachinery/kind.js';
import { present } from '../../../platform/assert.js';
import type { Cacher } from '../cacher/cacher.js';
import type { ObjectReader } from '../ports.js';
import { storeCall } from './store-errors.js';
import { storageKey } from './target.js';

/**
 * Reads of the watch cache for authorizers, admission and handlers. Asking for a resource that does not exist is a
 * defect.
 */
export function objectReader(scheme: Scheme, cacher: Cacher): ObjectReader {
  const kindOf = (resource: ResourceId): Kind =>
    present(
      scheme.byResource(resource),
      `there is no resource ${resource.group}/${resource.version}/${resource.resource}`,
    );
  const reader: ObjectReader = {
    get(resource, ref) {
      const kind = kindOf(resource);
      return cacher
        .of(kind)
        .get(storageKey(kind, ref.namespace, ref.name))
        ?.as(kind).object;
    },
    list(resource, options = {}) {
      const kind = kindOf(resource);
      return Array.from(cacher.of(kind).select({ namespace: options.namespace }), (object) => object.as(kind).object);
    },
    async getFresh(resource, ref) {
      await storeCall(cacher.fresh());
      return reader.get(resource, ref);
    },
    changes: (resource) => cacher.of(kindOf(resource)).changes,
  };
  return reader;
}
