/** What one member at a time does: scheduler and controllers, each under a Lease of its own, with caches of its own. */
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { Random } from '../../../platform/random.js';
import { startAll, stopAll, type Service } from '../../../platform/service.js';
import type { Client } from '../../../sdk/client.js';
import { EventRecorder } from '../../../sdk/events/event-recorder.js';
import { InformerFactory } from '../../../sdk/informer/informer-factory.js';
import { LeaderElector } from '../../../sdk/leaderelection/leader-elector.js';
import { createControllers, type ControllerRow } from '../../controllers/index.js';
import { Scheduler } from '../../scheduler/scheduler.js';
import type { ClusterNetwork } from '../network.js';
import { accountUser, COMPONENTS } from '../system-users.js';

/** Which of them a process stands for. */
export interface ElectedParts {
  readonly scheduler: boolean;
  /** Undefined: none. */
  readonly controllers: readonly ControllerRow[] | undefined;
}

export interface ElectedOptions {
  /** With the user's rights and no more. */
  readonly clientFor: (user: UserInfo) => Client;
  readonly parts: ElectedParts;
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

type Duty = (parts: {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
}) => Service;

interface Office {
  readonly lease: string;
  readonly component: string;
  readonly user: UserInfo;
  readonly duty: Duty;
}

function elector(options: ElectedOptions, { lease, component, user, duty }: Office): LeaderElector {
  const { clock, random } = options;
  const logger = options.logger.child({ component });
  const client = options.clientFor(user);
  return new LeaderElector({
    client,
    identity: options.identity,
    lease: { namespace: 'kube-system', name: lease },
    clock,
    random,
    logger,
    ...LEASE,
    async lead(signal) {
      const informers = new InformerFactory({ client, clock, random, logger });
      const events = new EventRecorder({ client, clock, logger, component });
      const service = duty({ client, informers, events });
      // A start may wait for a server that is away; its end must not wait for it.
      const started = startAll([events, informers, service]);
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([started.then(() => aborted), aborted]);
      await stopAll([events, informers, service]);
      await started.catch(() => undefined);
    },
  });
}

function schedulerOffice({ clock, random, logger }: ElectedOptions): Office {
  return {
    lease: 'kube-scheduler',
    component: 'default-scheduler',
    user: COMPONENTS.scheduler,
    duty: (parts) => new Scheduler({ ...parts, clock, random, logger: logger.child({ component: 'scheduler' }) }),
  };
}

function controllersOffice(options: ElectedOptions, rows: readonly ControllerRow[]): Office {
  const { clock, random, network, logger } = options;
  return {
    lease: 'kube-controller-manager',
    component: 'controller-manager',
    user: COMPONENTS.controllers,
    duty: (parts) =>
      createControllers({
        context: { ...parts, clock, random, logger: logger.child({ component: 'controllers' }) },
        clientOf: (account) => options.clientFor(accountUser(account)),
        rows,
        clusterAuthority: options.clusterAuthority,
        clusterCidr: network.clusterCidr,
        nodeBits: network.nodeBits,
        nodeGrace_ms: options.nodeGrace_ms,
      }),
  };
}

export function createElected(options: ElectedOptions): Service[] {
  const { scheduler, controllers } = options.parts;
  return [
    ...(scheduler ? [elector(options, schedulerOffice(options))] : []),
    ...(controllers === undefined || controllers.length === 0
      ? []
      : [elector(options, controllersOffice(options, controllers))]),
  ];
}
