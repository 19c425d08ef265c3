/**
 * navarch/sdk: everything that a component or an operator in TypeScript needs to work against a cluster.
 *
 * In: an ObjectService (in process, over gRPC, or the fake of sdk/testing). Out: a Client, and on top of it informers,
 * work queues, controllers, leader election and events. Time, chance and logs are handed in. Nothing here knows the API
 * server or the store.
 */
export type {
  Client,
  ListOptions,
  NamedRef,
  TypedList,
  TypedWatchEvent,
  WatchOptions,
  WriteCallOptions,
} from './client.js';
export { clientOf } from './object-client.js';
export type { ClientOfOptions } from './object-client.js';
export { connect } from './grpc/connect.js';
export type { ClientTls, ClientTlsProvider, ConnectOptions } from './grpc/connect.js';
export { connectStoreWriter } from './store/store-writer.js';
export type { StoreWriter } from './store/store-writer.js';
export { ResourceCatalog } from './discovery/resource-catalog.js';
export type { ResourceCatalogOptions } from './discovery/resource-catalog.js';
export { keyOf, keyOfRef, splitKey } from './key.js';
export { Backoff } from './backoff.js';
export type { BackoffOptions } from './backoff.js';
export { Informer } from './informer/informer.js';
export type { InformerHandler, InformerOptions } from './informer/informer.js';
export { InformerFactory } from './informer/informer-factory.js';
export type { InformerFactoryOptions } from './informer/informer-factory.js';
export type { IndexFunction, Lister } from './informer/object-cache.js';
export type { Selection } from './informer/reflector.js';
export { WorkQueue } from './workqueue/work-queue.js';
export type { WorkQueueOptions } from './workqueue/work-queue.js';
export { ExponentialLimiter } from './workqueue/rate-limiter.js';
export type { ExponentialLimiterOptions, RateLimiter } from './workqueue/rate-limiter.js';
export { Controller, TerminalError, done, requeueAfter } from './controller/controller.js';
export type { ControllerOptions, Reconcile, ReconcileContext, ReconcileResult } from './controller/controller.js';
export { byController, bySelf, sourceOf } from './controller/source.js';
export type { KeyMapper, Source, SourceOptions } from './controller/source.js';
export { LeaderElector } from './leaderelection/leader-elector.js';
export type { LeaderElectorOptions } from './leaderelection/leader-elector.js';
export { EventRecorder } from './events/event-recorder.js';
export type { EventRecorderOptions, EventSubject, EventType } from './events/event-recorder.js';
export type {
  CallOptions,
  DeleteOptions,
  DeleteResult,
  ObjectHandle,
  ObjectService,
  PatchType,
  ServedResource,
  UserInfo,
  WatchEventType,
} from '../apimachinery/object-service.js';
export type {
  GroupVersionKind,
  KubeObject,
  ListMeta,
  ObjectMeta,
  OwnerReference,
  Resource,
  ResourceId,
  UnknownObject,
} from '../apimachinery/object.js';
export { ApiError, apiErrors, isApiError } from '../apimachinery/status.js';
export type { Status, StatusReason } from '../apimachinery/status.js';
export { systemClock } from '../platform/clock.js';
export type { Clock, Timer } from '../platform/clock.js';
export { systemRandom } from '../platform/random.js';
export type { Random } from '../platform/random.js';
export { createLogger, silentLogger } from '../platform/log.js';
export type { Logger } from '../platform/log.js';
// One constant for each built-in resource (pods, deployments, ...) and the types of their objects (Pod, Deployment,
// ...): generated lists, each name explicit there.
export * from '../apimachinery/gen/resources.js';
export type * from '../apimachinery/gen/types.js';
