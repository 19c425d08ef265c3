/**
 * Validation of Events, which each of their two groups does in its own way
 * (k8s.io/kubernetes/pkg/apis/core/validation/events.go).
 */
import type { StrategyContext } from '../../kind.js';
import type { KubeObject } from '../../object.js';
import { dns1123Subdomain, qualifiedName } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, IMMUTABLE, type Complaints } from '../lib/complaints.js';
import { absent, at, field, isRec, num, same, str, unset, type Rec } from '../lib/value.js';
import { toCoreEvent } from './events.js';

const SHORT_MAX = 128;
const NOTE_MAX = 1024;

function validateText(complaints: Complaints, event: unknown, name: string, length_max = SHORT_MAX): void {
  const text = str(field(event, name));
  if (text === '' && length_max === SHORT_MAX) complaints.required(name);
  if (Buffer.byteLength(text) > length_max) complaints.invalid(name, '', `can have at most ${length_max} characters`);
}

function validateAsBefore(complaints: Complaints, event: unknown, reporter: string): void {
  const [namespace, involved] = [
    str(at(event, 'metadata', 'namespace')),
    str(at(event, 'involvedObject', 'namespace')),
  ];
  const isNew = !unset(field(event, 'eventTime'));
  const allowed = involved === '' ? ['default', ...(isNew ? ['kube-system'] : [''])] : isNew ? [namespace] : [involved];
  if (!allowed.includes(namespace))
    complaints.invalid('involvedObject.namespace', involved, 'does not match event.namespace');
  if (isNew) {
    const controller = str(field(event, 'reportingComponent'));
    if (controller === '') complaints.required(reporter);
    complaints.form(reporter, controller, qualifiedName);
    for (const name of ['reportingInstance', 'action', 'reason']) validateText(complaints, event, name);
    validateText(complaints, event, 'message', NOTE_MAX);
  }
  complaints.form('namespace', namespace, dns1123Subdomain);
}

function validateSeries(complaints: Complaints, event: unknown): void {
  const series = field(event, 'series');
  if (!isRec(series)) return;
  if (num(series['count']) < 2) complaints.invalid('series.count', '', 'should be at least 2');
  if (unset(series['lastObservedTime'])) complaints.required('series.lastObservedTime');
}

function validateStrictly(complaints: Complaints, event: unknown): void {
  validateSeries(complaints, event);
  if (unset(field(event, 'eventTime'))) complaints.required('eventTime');
  const type = str(field(event, 'type'));
  if (type !== 'Normal' && type !== 'Warning') complaints.invalid('type', '', `has invalid value: ${type}`);
  for (const name of ['firstTimestamp', 'lastTimestamp'])
    if (!unset(field(event, name))) complaints.invalid(name, '', 'needs to be unset');
  if (num(field(event, 'count')) !== 0) complaints.invalid('count', '', 'needs to be unset');
  if (!unset(at(event, 'source', 'component')) || !unset(at(event, 'source', 'host')))
    complaints.invalid('source', '', 'needs to be unset');
}

const REFERENCE = {
  Kind: 'kind',
  Namespace: 'namespace',
  Name: 'name',
  UID: 'uid',
  APIVersion: 'apiVersion',
  ResourceVersion: 'resourceVersion',
  FieldPath: 'fieldPath',
};
const SOURCE = { Component: 'component', Host: 'host' };

/** As Go's internal types are printed. */
function shown(name: string, value: unknown): unknown {
  const names =
    name === 'source'
      ? SOURCE
      : name === 'involvedObject' || (name === 'related' && isRec(value))
        ? REFERENCE
        : undefined;
  if (names !== undefined)
    return Object.fromEntries(Object.entries(names).map(([shownName, own]) => [shownName, str(field(value, own))]));
  return absent(value) && STRINGS.includes(name) ? '' : (value ?? null);
}

const STRINGS = ['reason', 'message', 'type', 'action', 'reportingComponent', 'reportingInstance'];

const FIXED = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'reason',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
];
/** What the fields are called where a complaint names them: those of Go's internal type. */
const INTERNAL: Readonly<Record<string, string>> = { reportingComponent: 'reportingController' };

function validateFixed(complaints: Complaints, event: unknown, old: unknown): void {
  if (!same(field(event, 'series'), field(old, 'series'))) validateSeries(complaints, event);
  for (const name of FIXED) {
    const [now, before] = [field(event, name), field(old, name)];
    if (!same(now, before, name)) complaints.invalid(INTERNAL[name] ?? name, shown(name, now), IMMUTABLE);
  }
}

const coreOf = (event: KubeObject): KubeObject => (event.apiVersion === 'v1' ? event : toCoreEvent(event));

export function validateEvent(event: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const isCore = event['apiVersion'] === 'v1';
    const core = coreOf(event as KubeObject);
    validateAsBefore(complaints, core, isCore ? 'reportingComponent' : 'reportingController');
    if (isCore) return;
    if (context?.old === undefined) validateStrictly(complaints, core);
    else validateFixed(complaints, core, coreOf(context.old));
  });
}
