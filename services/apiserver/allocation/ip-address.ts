/**
 * The IPAddress object of a Service's address (KEP-1880): written and removed in the Service's own transaction, so that
 * the two never differ.
 */
import type { IPAddress } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type { Compare, Op } from '../../store/store.js';
import { encodeForStore } from '../cacher/cached-object.js';
import type { WriteGuard } from '../ports.js';

export interface AddressParts {
  /** Of the storage keys of IPAddress objects, with the slash at its end. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
}

export interface AddressHolder {
  readonly namespace: string;
  readonly name: string;
}

const FAMILY_LABEL = 'ipaddress.kubernetes.io/ip-family';
const MANAGER_LABEL = 'ipaddress.kubernetes.io/managed-by';
const MANAGER = 'ipallocator.k8s.io';

export function addressObject(address: string, holder: AddressHolder): IPAddress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: address, labels: { [FAMILY_LABEL]: 'IPv4', [MANAGER_LABEL]: MANAGER } },
    spec: { parentRef: { resource: 'services', namespace: holder.namespace, name: holder.name } },
  };
}

/** On the condition that nobody reserved the address by an IPAddress of his own. */
export function takeAddress(
  { prefix, clock, random }: AddressParts,
  address: string,
  holder: AddressHolder,
): WriteGuard {
  const key = Buffer.from(prefix + address);
  const object = addressObject(address, holder);
  const value = encodeForStore({
    ...object,
    metadata: { ...object.metadata, uid: random.uuid(), creationTimestamp: toTime(clock.now()) },
  });
  const isFree: Compare = { target: 'createRevision', key, op: '=', value: 0 };
  return { compare: [isFree], ops: [{ kind: 'put', key, value }] };
}

export const releaseAddress = ({ prefix }: AddressParts, address: string): Op => ({
  kind: 'delete',
  key: Buffer.from(prefix + address),
});
