/** What one member at a time does: scheduler and controllers, each under a Lease of its own, with caches of its own. */
import type { Resource } from '../../apimachinery/object.js';
import type { Kind } from '../../apimachinery/kind.js';
import type { UserInfo } from '../../apimachinery/object-service.js';
import type { MutableScheme } from '../../apimachinery/scheme/scheme.js';
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import { startAll, stopAll, type Service } from '../../platform/service.js';
import type { Client } from '../../sdk/client.js';
import { EventRecorder } from '../../sdk/events/event-recorder.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { LeaderElector } from '../../sdk/leaderelection/leader-elector.js';
import { createControllers, type Discovery } from '../../services/controllers/index.js';
import { Scheduler } from '../../services/scheduler/scheduler.js';
import type { ClusterNetwork } from './network.js';
import { SYSTEM_USERS } from './system-users.js';

export interface ElectedOptions {
  readonly clientFor: (user: UserInfo) => Client;
  readonly scheme: MutableScheme;
  /** Differs between members. */
  readonly identity: string;
  readonly network: ClusterNetwork;
  readonly clusterAuthority: () => string;
  readonly nodeGrace_ms: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

// A member that dies is followed within seconds: nothing here is so dear that it must not be done twice for a moment.
const LEASE = { leaseDuration_ms: 6_000, renewDeadline_ms: 4_000, retryPeriod_ms: 1_000 } as const;

const NEEDED = ['list', 'watch', 'delete'];

/** One row for each stored thing: a second version shows the same objects. */
function storedOnce(kinds: readonly Kind[]): Resource[] {
  const stored = new Map<string, Resource>();
  for (const { storagePrefix, group, version, resource, kind, namespaced } of kinds) {
    if (!stored.has(storagePrefix)) stored.set(storagePrefix, { group, version, resource, kind, namespaced });
  }
  return [...stored.values()];
}

/** Events cannot be owned and outnumber the rest: nobody watches them for their owners. */
function discoveryOf(scheme: MutableScheme): Discovery {
  return {
    generation: () => scheme.generation,
    deletable: () => storedOnce(scheme.kinds().filter((kind) => kind.resource !== 'events' && NEEDED.every((verb) => kind.verbs.includes(verb)))),
    namespaced: () => storedOnce(scheme.kinds().filter((kind) => kind.namespaced && kind.verbs.includes('delete') && kind.verbs.includes('list'))),
    ofKind(apiVersion, kind) {
      const [version = '', group = ''] = apiVersion.split('/').toReversed();
      return scheme.byKind({ group, version, kind });
    },
    isBuiltIn: (resource) => scheme.isBuiltIn(resource),
  };
}

type Duty = (parts: { readonly client: Client; readonly informers: InformerFactory; readonly events: EventRecorder }) => Service;

function elector(options: ElectedOptions, lease: string, component: string, user: UserInfo, duty: Duty): LeaderElector {
  const { clock, random } = options;
  const logger = options.logger.child({ component });
  const client = options.clientFor(user);
  return new LeaderElector({
    client, identity: options.identity, lease: { namespace: 'kube-system', name: lease }, clock, random, logger, ...LEASE,
    async lead(signal) {
      const informers = new InformerFactory({ client, clock, random, logger });
      const events = new EventRecorder({ client, clock, logger, component });
      const service = duty({ client, informers, events });
      await startAll([events, informers, service]);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await stopAll([events, informers, service]);
    },
  });
}

export function createElected(options: ElectedOptions): Service[] {
  const { clock, random, network } = options;
  const scheduler = elector(options, 'kube-scheduler', 'default-scheduler', SYSTEM_USERS.scheduler, (parts) =>
    new Scheduler({ ...parts, clock, random, logger: options.logger.child({ component: 'scheduler' }) }));
  const controllers = elector(options, 'kube-controller-manager', 'controller-manager', SYSTEM_USERS.controllers, (parts) =>
    createControllers({
      context: { ...parts, clock, random, logger: options.logger.child({ component: 'controllers' }) },
      discovery: discoveryOf(options.scheme),
      clusterAuthority: options.clusterAuthority,
      clusterCidr: network.clusterCidr,
      nodeBits: network.nodeBits,
      nodeGrace_ms: options.nodeGrace_ms,
    }));
  return [scheduler, controllers];
}
