import { describe, expect, it } from 'vitest';
import { builtInScheme } from '../scheme/builtin.js';
import { checkFields, parseFieldSelector, selectableFields } from './fields.js';

const PODS = [
  'spec.nodeName',
  'spec.host',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'spec.hostNetwork',
  'status.phase',
  'status.podIP',
  'status.podIPs',
  'status.nominatedNodeName',
];
const REFERENCE = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];
const NAMED = ['metadata.name', 'metadata.namespace'];
const common = (field: string) => `field label not supported: ${field}`;

/**
 * Every conversion of field labels that kube-apiserver v1.36 registers: `group/version/resource`, fields, what it says
 * of `nosuch`.
 */
const OWN: readonly (readonly [kind: string, fields: readonly string[], refusal: string])[] = [
  ['/v1/pods', [...NAMED, ...PODS], common('nosuch')],
  ['/v1/nodes', ['metadata.name', 'spec.unschedulable'], common('nosuch')],
  ['/v1/namespaces', ['metadata.name', 'status.phase'], common('nosuch')],
  ['/v1/replicationcontrollers', [...NAMED, 'status.replicas'], common('nosuch')],
  ['/v1/secrets', [...NAMED, 'type'], common('nosuch')],
  ['/v1/services', [...NAMED, 'spec.clusterIP', 'spec.type'], common('nosuch')],
  [
    '/v1/events',
    [...NAMED, ...REFERENCE.map((name) => `involvedObject.${name}`), 'reason', 'reportingComponent', 'source', 'type'],
    common('nosuch'),
  ],
  [
    'events.k8s.io/v1/events',
    [...NAMED, ...REFERENCE.map((name) => `regarding.${name}`), 'reason', 'reportingController', 'type'],
    common('nosuch'),
  ],
  ['batch/v1/jobs', [...NAMED, 'status.successful'], 'field label "nosuch" not supported for Job'],
  ['certificates.k8s.io/v1/certificatesigningrequests', ['metadata.name', 'spec.signerName'], common('nosuch')],
  [
    'resource.k8s.io/v1/resourceslices',
    ['metadata.name', 'spec.nodeName', 'spec.driver'],
    'field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: nosuch',
  ],
];

const kinds = builtInScheme()
  .kinds()
  .map((kind) => [`${kind.group}/${kind.version}/${kind.resource}`, kind] as const);

describe('the fields that objects of a kind are selected by (row 42)', () => {
  it.each(kinds)('%s', (name, kind) => {
    const [, fields, refusal] = OWN.find(([own]) => own === name) ?? [
      name,
      NAMED,
      '"nosuch" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ];
    const selectable = selectableFields(kind);
    expect([...selectable.fields].sort()).toEqual([...fields].sort());
    expect(() => checkFields(parseFieldSelector('nosuch=x'), selectable)).toThrow(refusal);
  });

  it.each([
    [true, ['spec.a'], ['metadata.name', 'metadata.namespace', 'spec.a']],
    [false, ['spec.a'], ['metadata.name', 'spec.a']],
    [true, [], ['metadata.name', 'metadata.namespace']],
    [false, [], ['metadata.name']],
  ])('custom resources, namespaced %s, of %j', (namespaced, own, fields) => {
    const fieldSelectors = Object.fromEntries(own.map((field) => [field, () => '']));
    const selectable = selectableFields({ namespaced, isCustom: true, fieldSelectors });
    expect(selectable.fields).toEqual(fields);
    expect(() => checkFields(parseFieldSelector('nosuch=x'), selectable)).toThrow(common('nosuch'));
  });

  it.each(['', '=', '!=', '==', ',', '=,='])('%j selects everything: it names neither a field nor a value', (text) =>
    expect(parseFieldSelector(text)).toEqual([]),
  );
});
