/**
 * ComponentStatus: stored nowhere, found out when asked. The scheduler and the controllers are well while somebody
 * renews the lease by which they are elected; the store, by etcd's name, while it can be read.
 */
import { leases } from '../../../apimachinery/gen/resources.js';
import type { ComponentStatus, Lease } from '../../../apimachinery/gen/types.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { ObjectReader, ResourceHandler } from '../ports.js';

const NAMESPACE = 'kube-system';
const SECOND_MS = 1000;

export interface ComponentStatusParts {
  readonly reader: Pick<ObjectReader, 'get'>;
  /** Rejects while the store cannot be read. */
  readonly fresh: () => Promise<void>;
  readonly clock: Pick<Clock, 'now'>;
}

export function componentStatusHandler({ reader, fresh, clock }: ComponentStatusParts): ResourceHandler {
  const elected = (name: string) => () => {
    const failure = leaseFailure(
      reader.get(leases, { namespace: NAMESPACE, name }) as Lease | undefined,
      name,
      clock.now(),
    );
    return failure === undefined ? Promise.resolve() : Promise.reject(new Error(failure));
  };
  const components: Readonly<Record<string, () => Promise<void>>> = {
    'controller-manager': elected('kube-controller-manager'),
    scheduler: elected('kube-scheduler'),
    'etcd-0': fresh,
  };
  return {
    get: ({ name }) => {
      const check = Object.hasOwn(components, name) ? components[name] : undefined;
      return check === undefined
        ? Promise.reject(apiErrors.notFound({ group: '', resource: 'componentstatus' }, name))
        : statusOf(name, check);
    },
    list: () => Promise.all(Object.entries(components).map(([name, check]) => statusOf(name, check))),
  };
}

/** Undefined: somebody holds the lease. */
function leaseFailure(lease: Lease | undefined, name: string, now_ms: number): string | undefined {
  const { holderIdentity, renewTime, leaseDurationSeconds = 0 } = lease?.spec ?? {};
  if (holderIdentity === undefined || holderIdentity === '' || renewTime === undefined)
    return `nobody holds the lease ${NAMESPACE}/${name}`;
  if (Date.parse(renewTime) + leaseDurationSeconds * SECOND_MS >= now_ms) return undefined;
  return `${holderIdentity} last renewed the lease ${NAMESPACE}/${name} at ${renewTime}`;
}

async function statusOf(name: string, check: () => Promise<void>): Promise<ComponentStatus> {
  const failure = await check().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const condition = { type: 'Healthy', status: failure === undefined ? 'True' : 'False', message: failure ?? 'ok' };
  return { metadata: { name }, conditions: [condition] };
}
