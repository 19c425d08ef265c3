/** Test support of the SDK: a cluster's API in memory. Never part of a product. */
export { FakeObjectService } from './fake-object-service.js';
export { VirtualClock } from '../../platform/clock.js';
export { seededRandom } from '../../platform/random.js';
