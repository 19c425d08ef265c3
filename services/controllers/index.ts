/**
 * The controllers of the control plane, one folder each. In: Clients and shared informers. Out: writes, each controller's through a
 * Client of its own account. They run on one member at a time (leader election is the composer's) and keep no state of their own that a
 * restart could lose. They never see the store or the API server.
 */
import { startAll, stopAll, type Service } from '../../platform/service.js';
import type { Client } from '../../sdk/client.js';
import { ResourceCatalog } from '../../sdk/discovery/resource-catalog.js';
import type { ControllerContext } from './context.js';
import { discoveryOf } from './discovery.js';
import { CONTROLLERS, type ClusterFacts, type ControllerRow } from './table.js';

export type { ControllerContext, EventSink } from './context.js';
export { chosenControllers, CONTROLLERS, type ClusterFacts, type ControllerRow } from './table.js';

export interface ControllersOptions extends ClusterFacts {
  /** Of the manager: its client is what informers read with. */
  readonly context: ControllerContext;
  /** The client of an account in kube-system; the manager's own when absent. */
  readonly clientOf?: (account: string) => Client;
  /** All when absent. */
  readonly rows?: readonly ControllerRow[];
}

const MANAGER = 'controllermanager';

/** As one service; the informers of the context are its own to start and stop. */
export function createControllers(options: ControllersOptions): Service {
  const { context, clientOf, rows = CONTROLLERS } = options;
  const { client, clock, random, logger, informers, events } = context;
  const catalog = new ResourceCatalog({ client, clock, random, logger });
  const parts = { ...options, discovery: discoveryOf(catalog) };
  const controllers = rows.map(({ account, component = MANAGER, create }) =>
    create({ ...context, client: clientOf?.(account) ?? client, events: events.as?.(component) ?? events }, parts));
  return {
    name: 'controllers',
    async start() {
      await catalog.start();
      await informers.start();
      await catalog.whenKnown();
      // In parallel: one whose caches take long must not hold up the others.
      await Promise.all(controllers.map((controller) => startAll([controller])));
    },
    async stop() {
      await Promise.all(controllers.map((controller) => stopAll([controller])));
      await informers.stop();
      await catalog.stop();
    },
  };
}
