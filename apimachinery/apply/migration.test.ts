/**
 * Moving an object from one manager to another (KEP-555, "Upgrading existing objects"), put to kube-apiserver's own
 * field manager before.
 */
import { describe, expect, it } from 'vitest';
import { present } from '../../platform/assert.js';
import type { KubeObject, ManagedFieldsEntry } from '../object.js';
import { builtInScheme } from '../scheme/builtin.js';
import { resolverOf } from '../schema/resolve.js';
import { isApiError } from '../status.js';
import { applyPatch, trackUpdate, withManagedFields } from './apply.js';
import { LAST_APPLIED } from './last-applied.js';

const scheme = builtInScheme();
const facts = {
  schema: present(scheme.byKind({ group: '', version: 'v1', kind: 'ConfigMap' }), 'ConfigMap').schema,
  resolver: resolverOf(scheme),
};

type Data = Readonly<Record<string, string>>;
type ConfigMap = KubeObject & { data?: Data };

const configMap = (data: Data, annotations?: Data): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', namespace: 'n', ...(annotations === undefined ? {} : { annotations }) },
  data,
});
const noted = (object: ConfigMap): string => `${JSON.stringify(object)}\n`;
const owner = (manager: string, time = '2026-01-01T00:00:00Z') => ({ manager, apiVersion: 'v1', time });

function updated(before: ConfigMap | undefined, after: ConfigMap, manager: string): ConfigMap {
  return withManagedFields(after, trackUpdate({ before, after, owner: owner(manager) }, facts));
}

/** As `kubectl apply` makes it. */
function clientSide(data: Data, note = noted(configMap(data))): ConfigMap {
  return updated(undefined, configMap(data, { [LAST_APPLIED]: note }), 'kubectl-client-side-apply');
}

const apply = (live: ConfigMap, config: ConfigMap, manager: string): ConfigMap =>
  applyPatch<ConfigMap>({ live, config, owner: owner(manager) }, facts);

function refusal(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (isApiError(error, 'Conflict')) return error.message;
    throw error;
  }
}

const CONFLICT = 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.a';

describe('from kubectl apply to server-side apply', () => {
  it.each<[string, string, string | undefined, string | undefined]>([
    ['kubectl takes over what it applied', 'kubectl', undefined, undefined],
    ['Helm does not', 'helm', undefined, CONFLICT],
    ['nor Argo CD', 'argocd-controller', undefined, CONFLICT],
    ['nor Flux', 'kustomize-controller', undefined, CONFLICT],
    ['not with a note that cannot be read', 'kubectl', 'not JSON', CONFLICT],
    [
      'not with a note of another version',
      'kubectl',
      '{"apiVersion":"v2","kind":"ConfigMap","data":{"a":"1"}}',
      CONFLICT,
    ],
    ['not what the note does not name', 'kubectl', noted(configMap({ b: '1' })), CONFLICT],
    ['not what has another value than the note', 'kubectl', noted(configMap({ a: 'other' })), CONFLICT],
    ['not without a note', 'kubectl', '', CONFLICT],
  ])('%s', (_what, manager, note, expected) => {
    expect(refusal(() => apply(clientSide({ a: '1' }, note), configMap({ a: '2' }), manager))).toBe(expected);
  });

  it('names only the conflicts that the note does not settle', () => {
    const live = updated(
      clientSide({ a: '1', b: '1' }),
      { ...clientSide({ a: '1', b: '1' }), data: { a: '1', b: 'theirs' } },
      'someone',
    );
    expect(refusal(() => apply(live, configMap({ a: '2', b: '2' }), 'kubectl'))).toBe(
      'Apply failed with 1 conflict: conflict with "someone" using v1: .data.b',
    );
  });

  it('keeps the note in step, so that kubectl apply deletes what was dropped in between', () => {
    const live = apply(clientSide({ a: '1' }), configMap({ a: '1', added: 'x' }), 'kubectl');
    expect(live.metadata?.annotations?.[LAST_APPLIED]).toBe(
      '{"apiVersion":"v1","data":{"a":"1","added":"x"},"kind":"ConfigMap","metadata":{"name":"c","namespace":"n"}}\n',
    );
    const annotated = apply(live, configMap({ a: '1' }, { mine: 'y' }), 'kubectl');
    expect(JSON.parse(annotated.metadata?.annotations?.[LAST_APPLIED] ?? '')).toEqual(
      configMap({ a: '1' }, { mine: 'y' }),
    );
  });

  it('leaves the note to others, and makes none', () => {
    const live = clientSide({ a: '1' });
    expect(apply(live, configMap({ b: '1' }), 'helm').metadata?.annotations).toEqual(live.metadata?.annotations);
    expect(
      apply(updated(undefined, configMap({ a: '1' }), 'x'), configMap({ b: '1' }), 'kubectl').metadata?.annotations,
    ).toBeUndefined();
  });

  it('takes the managers that a client rewrote, as kubectl (csaupgrade) and Argo CD do', () => {
    const live = clientSide({ a: '1' });
    const [entry] = live.metadata?.managedFields ?? [];
    const mine: ManagedFieldsEntry[] = [{ ...entry, manager: 'argocd-controller', operation: 'Apply' }];
    const moved = updated(live, withManagedFields(live, mine), 'argocd-controller');
    expect(moved.metadata?.managedFields).toEqual(mine);
    expect(apply(moved, configMap({}), 'argocd-controller').data).toEqual({});
  });
});

describe('managedFields that clients send', () => {
  const live = updated(undefined, configMap({ a: '1' }), 'one');
  const entry = (change: object): ManagedFieldsEntry[] => [
    {
      manager: 'm',
      operation: 'Update',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': {} },
      ...change,
    },
  ];
  it.each<[string, ManagedFieldsEntry[], readonly (string | undefined)[]]>([
    ['an empty list forgets all', [], []],
    ['an empty entry forgets all', [{}], []],
    ['an unknown operation is passed over', entry({ operation: 'Zap' }), ['one']],
    ['an unknown form is passed over', entry({ fieldsType: 'FieldsV2' }), ['one']],
    ['no version is passed over', entry({ apiVersion: '' }), ['one']],
    ['others are taken', entry({}), ['m']],
  ])('%s', (_what, sent, expected) => {
    const after = { ...live, metadata: { ...live.metadata, managedFields: sent } };
    expect(trackUpdate({ before: live, after, owner: owner('two') }, facts).map(({ manager }) => manager)).toEqual(
      expected,
    );
    const scaled = trackUpdate({ before: live, after, owner: { ...owner('two'), subresource: 'status' } }, facts);
    expect(scaled.map(({ manager }) => manager)).toEqual(['one']);
  });

  it('an object that nobody is tracked on stays so until the first apply', () => {
    expect(
      trackUpdate({ before: configMap({ a: '1' }), after: configMap({ a: '2' }), owner: owner('two') }, facts),
    ).toEqual([]);
    const applied = apply(configMap({ a: '2' }), configMap({ b: '1' }), 'three');
    expect(applied.metadata?.managedFields?.map(({ manager, fieldsV1 }) => [manager, fieldsV1])).toEqual([
      ['three', { 'f:data': { 'f:b': {} } }],
      ['before-first-apply', { 'f:data': { '.': {}, 'f:a': {} } }],
    ]);
  });
});

describe('times', () => {
  const first = '2026-01-01T00:00:00Z';
  it('an applier who changes nothing has none, and stands first', () => {
    const one = applyPatch<ConfigMap>(
      { live: undefined, config: configMap({ a: '1' }), owner: owner('one', first) },
      facts,
    );
    const two = applyPatch<ConfigMap>(
      { live: one, config: configMap({ a: '1' }), owner: owner('two', '2026-02-01T00:00:00Z') },
      facts,
    );
    expect(two.metadata?.managedFields?.map(({ manager, time }) => [manager, time])).toEqual([
      ['two', undefined],
      ['one', first],
    ]);
  });

  it('an updater has a new one when it changes what it owns already, not when it only removes', () => {
    const one = updated(undefined, configMap({ a: '1', b: '1' }), 'one');
    const timeAfter = (data: Data) =>
      trackUpdate({ before: one, after: configMap(data), owner: owner('one', '2026-02-01T00:00:00Z') }, facts)[0]?.time;
    expect(timeAfter({ a: '2', b: '1' })).toBe('2026-02-01T00:00:00Z');
    expect(timeAfter({ a: '1' })).toBe(first);
  });
});
