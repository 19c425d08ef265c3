/** Tables of the core group apart from pods, Services and volumes. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { conditionOf } from '../lib/conditions.js';
import { translateTimestampSince } from '../lib/duration.js';
import { absent, at, entries, field, isRec, keysOf, num, recs, str, scalarText } from '../lib/value.js';
import { AGE, CREATED_AT, NAME, nameOf, orNone, printerOf, text, wide } from './columns.js';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function nodeStatus(node: KubeObject): string {
  const ready = conditionOf(node, 'Ready');
  const state = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return at(node, 'spec', 'unschedulable') === true ? `${state},SchedulingDisabled` : state;
}

function nodeRoles(node: KubeObject): string {
  const roles = new Set<string>();
  for (const [key, value] of entries(at(node, 'metadata', 'labels'))) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) roles.add(key.slice(ROLE_PREFIX.length));
    else if (key === 'kubernetes.io/role' && str(value) !== '') roles.add(str(value));
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',');
}

function nodeAddress(node: KubeObject, type: string): string {
  return orNone(recs(at(node, 'status', 'addresses')).find((address) => address['type'] === type)?.['address']);
}

const nodeInfo = (node: KubeObject, name: string): string => str(at(node, 'status', 'nodeInfo', name));

export const nodePrinter: Printer = printerOf(
  NAME,
  text('Status', nodeStatus),
  text('Roles', nodeRoles),
  AGE,
  text('Version', (node) => nodeInfo(node, 'kubeletVersion')),
  wide(text('Internal-IP', (node) => nodeAddress(node, 'InternalIP'))),
  wide(text('External-IP', (node) => nodeAddress(node, 'ExternalIP'))),
  wide(text('OS-Image', (node) => nodeInfo(node, 'osImage') || '<unknown>')),
  wide(text('Kernel-Version', (node) => nodeInfo(node, 'kernelVersion') || '<unknown>')),
  wide(text('Container-Runtime', (node) => nodeInfo(node, 'containerRuntimeVersion') || '<unknown>')),
);

export const namespacePrinter: Printer = printerOf(
  NAME,
  text('Status', (object) => str(at(object, 'status', 'phase'))),
  AGE,
);

export const configMapPrinter: Printer = printerOf(
  NAME,
  text('Data', (object) => keysOf(field(object, 'data')).length + keysOf(field(object, 'binaryData')).length),
  AGE,
);

export const secretPrinter: Printer = printerOf(
  NAME,
  text('Type', (object) => str(field(object, 'type'))),
  text('Data', (object) => keysOf(field(object, 'data')).length),
  AGE,
);

export const serviceAccountPrinter: Printer = printerOf(NAME, AGE);

function firstSeen(event: KubeObject, now_ms: number): string {
  return translateTimestampSince(at(event, 'firstTimestamp') ?? at(event, 'eventTime'), now_ms);
}

function lastSeen(event: KubeObject, now_ms: number): string {
  if (isRec(at(event, 'series'))) return translateTimestampSince(at(event, 'series', 'lastObservedTime'), now_ms);
  const last = at(event, 'lastTimestamp');
  return absent(last) ? firstSeen(event, now_ms) : translateTimestampSince(last, now_ms);
}

function eventCount(event: KubeObject): number {
  return isRec(at(event, 'series')) ? num(at(event, 'series', 'count')) : num(at(event, 'count')) || 1;
}

function eventObject(event: KubeObject): string {
  const kind = str(at(event, 'involvedObject', 'kind')).toLowerCase();
  const name = str(at(event, 'involvedObject', 'name'));
  return name === '' ? kind : `${kind}/${name}`;
}

function eventSource(event: KubeObject): string {
  const component = str(at(event, 'source', 'component')) || str(at(event, 'reportingComponent'));
  const host = str(at(event, 'source', 'host')) || str(at(event, 'reportingInstance'));
  return host === '' ? component : `${component}, ${host}`;
}

/** For the core/v1 shape; events.k8s.io/v1 is converted before it is shown. */
export const eventPrinter: Printer = printerOf(
  text('Last Seen', lastSeen),
  text('Type', (event) => str(at(event, 'type'))),
  text('Reason', (event) => str(at(event, 'reason'))),
  text('Object', eventObject),
  wide(text('Subobject', (event) => str(at(event, 'involvedObject', 'fieldPath')))),
  wide(text('Source', eventSource)),
  text('Message', (event) => str(at(event, 'message')).trim()),
  wide(text('First Seen', firstSeen)),
  wide(text('Count', eventCount)),
  wide({ name: 'Name', type: 'string', format: 'name', cell: nameOf }),
);

function quotaText(quota: KubeObject, limits: boolean): string {
  const used = at(quota, 'status', 'used');
  return entries(at(quota, 'status', 'hard'))
    .filter(([name]) => name.startsWith('limits.') === limits)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${scalarText(field(used, name) ?? '0')}/${scalarText(hard)}`)
    .join(', ');
}

export const resourceQuotaPrinter: Printer = printerOf(
  NAME,
  text('Request', (quota) => quotaText(quota, false)),
  text('Limit', (quota) => quotaText(quota, true)),
  AGE,
);

export const limitRangePrinter: Printer = printerOf(NAME, CREATED_AT);

export const componentStatusPrinter: Printer = printerOf(
  NAME,
  text('Status', (object) => {
    const healthy = recs(field(object, 'conditions')).find((condition) => condition['type'] === 'Healthy')?.['status'];
    return healthy === 'True' ? 'Healthy' : healthy === 'False' ? 'Unhealthy' : 'Unknown';
  }),
  text('Message', (object) =>
    str(recs(field(object, 'conditions')).find((condition) => condition['type'] === 'Healthy')?.['message']),
  ),
  text('Error', (object) =>
    str(recs(field(object, 'conditions')).find((condition) => condition['type'] === 'Healthy')?.['error']),
  ),
);
