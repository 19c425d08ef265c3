/** Events in their two groups: one object, stored as core/v1; events.k8s.io/v1 has other names for its fields. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { at, clone, field, put, str, unset, type Rec } from '../lib/value.js';
import { eventPrinter } from '../printers/core.js';

/** core/v1 -> events.k8s.io/v1 */
const RENAMED = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
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
  rename(
    object,
    'v1',
    RENAMED.map(([core, other]) => [other, core] as const),
  );

export const eventsV1Printer: Printer = {
  columns: eventPrinter.columns,
  row: (object, now_ms) => eventPrinter.row(toCoreEvent(object), now_ms),
};

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const;

const involved = (reference: 'involvedObject' | 'regarding'): [string, (event: KubeObject) => string][] =>
  INVOLVED.map((name) => [`${reference}.${name}`, (event) => str(at(event, reference, name))]);
const text =
  (name: string) =>
  (event: KubeObject): string =>
    str(at(event, name));

export const coreEventSelectors: Readonly<Record<string, (event: KubeObject) => string>> = {
  ...Object.fromEntries(involved('involvedObject')),
  reason: text('reason'),
  type: text('type'),
  reportingComponent: text('reportingComponent'),
  source: (event) => {
    const component = at(event, 'source', 'component');
    return unset(component) ? str(at(event, 'reportingComponent')) : str(component);
  },
};

/** Each version knows the names of its own fields alone; there is none for `deprecatedSource`. */
export const eventsV1Selectors: Readonly<Record<string, (event: KubeObject) => string>> = {
  ...Object.fromEntries(involved('regarding')),
  reason: text('reason'),
  type: text('type'),
  reportingController: text('reportingController'),
};
