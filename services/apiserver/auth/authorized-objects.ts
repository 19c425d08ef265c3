/**
 * An ObjectService for a component of this process that has no more rights than its user: each call is authorized
 * first, as a front does it for callers from outside.
 */
import type { ObjectService } from '../../../apimachinery/object-service.js';
import { authorizeCall, authorizeDiscovery, type AskedObjects, type Caller, type Verb } from './authorize-call.js';

/** `service`: what the same user is given without being asked, such as `registry.as(user)`. */
export function authorizedObjects(service: ObjectService, caller: Caller): ObjectService {
  const allow = (verb: Verb, asked: AskedObjects) => authorizeCall(caller, verb, asked);
  return {
    async *discover(options) {
      await authorizeDiscovery(caller);
      yield* service.discover(options);
    },
    async get(request, options) {
      await allow('get', request);
      return service.get(request, options);
    },
    async list(request, options) {
      await allow('list', request);
      return service.list(request, options);
    },
    async *watch(request, options) {
      await allow('watch', request);
      yield* service.watch(request, options);
    },
    async create(request, options) {
      await allow('create', request);
      return service.create(request, options);
    },
    async update(request, options) {
      await allow('update', request);
      return service.update(request, { ...options, mayCreate: () => allow('create', request) });
    },
    async patch(request, options) {
      await allow('patch', request);
      return service.patch(request, { ...options, mayCreate: () => allow('create', request) });
    },
    async delete(request, options) {
      await allow('delete', request);
      return service.delete(request, options);
    },
    async deleteCollection(request, options) {
      await allow('deletecollection', request);
      return service.deleteCollection(request, options);
    },
  };
}
