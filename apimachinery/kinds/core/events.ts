/** Events in their two groups: one object, stored as core/v1; events.k8s.io/v1 has other names for its fields. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { at, clone, field, put, str, unset, type Rec } from '../lib/value.js';
import { eventPrinter } from '../printers/core.js';

/** core/v1 -> events.k8s.io/v1 */
const RENAMED = [
  ['involvedObject', 'regarding'], ['message', 'note'], ['reportingComponent', 'reportingController'], ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'], ['lastTimestamp', 'deprecatedLastTimestamp'], ['count', 'deprecatedCount'],
] as const;

function rename(object: KubeObject, apiVersion: string, pairs: Iterable<readonly [string, string]>): KubeObject {
  const draft = clone(object) as Rec;
  draft['apiVersion'] = apiVersion;
  for (const [from, to] of pairs) {
    const value = field(draft, from);
    delete draft[from];
    put(draft, to, value);
  }
  return draft as KubeObject;
}

export const toEventsV1 = (object: KubeObject): KubeObject => rename(object, 'events.k8s.io/v1', RENAMED);
export const toCoreEvent = (object: KubeObject): KubeObject =>
  rename(object, 'v1', RENAMED.map(([core, other]) => [other, core] as const));

export const eventsV1Printer: Printer = { columns: eventPrinter.columns, row: (object, now_ms) => eventPrinter.row(toCoreEvent(object), now_ms) };

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const;

/** The same labels select in both groups, under the names of core/v1. */
export const eventSelectors: Readonly<Record<string, (event: KubeObject) => string>> = {
  ...Object.fromEntries(INVOLVED.map((name) => [
    `involvedObject.${name}`, (event: KubeObject) => str(at(event, 'involvedObject', name) ?? at(event, 'regarding', name)),
  ])),
  ...Object.fromEntries(INVOLVED.map((name) => [
    `regarding.${name}`, (event: KubeObject) => str(at(event, 'regarding', name) ?? at(event, 'involvedObject', name)),
  ])),
  reason: (event) => str(at(event, 'reason')),
  type: (event) => str(at(event, 'type')),
  reportingComponent: (event) => str(at(event, 'reportingComponent') ?? at(event, 'reportingController')),
  reportingController: (event) => str(at(event, 'reportingController') ?? at(event, 'reportingComponent')),
  source: (event) => {
    const component = at(event, 'source', 'component') ?? at(event, 'deprecatedSource', 'component');
    return unset(component) ? str(at(event, 'reportingComponent') ?? at(event, 'reportingController')) : str(component);
  },
};
