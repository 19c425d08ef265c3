import { describe, expect, it } from 'vitest';
import { builtInScheme } from './builtin.js';
import { builtInDefinitions } from './data.js';
import { compareVersions } from './scheme.js';
import type { Schema } from '../schema.js';
import type { Kind } from '../kind.js';

function* refsOf(schema: Schema): Generator<string> {
  if (schema.ref !== undefined) yield schema.ref;
  for (const property of Object.values(schema.properties ?? {})) yield* refsOf(property);
  if (schema.items !== undefined) yield* refsOf(schema.items);
  if (schema.additionalProperties !== undefined) yield* refsOf(schema.additionalProperties);
}

const widget: Kind = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  resource: 'widgets',
  listKind: 'WidgetList',
  singular: 'widget',
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ['get', 'list'],
  subresources: [],
  storagePrefix: 'example.com/widgets',
  storageVersion: 'v1',
  schema: { ref: 'com.example.v1.Widget' },
  fieldSelectors: {},
  strategy: {},
};

describe('the built-in scheme', () => {
  const scheme = builtInScheme();

  it('finds rows by resource and by kind', () => {
    const deployments = scheme.byResource({ group: 'apps', version: 'v1', resource: 'deployments' });
    expect(deployments?.kind).toBe('Deployment');
    expect(scheme.byKind({ group: 'apps', version: 'v1', kind: 'Deployment' })).toBe(deployments);
    expect(deployments?.subresources.find((sub) => sub.name === 'scale')?.kind).toEqual({
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
    });
    expect(scheme.byResource({ group: 'apps', version: 'v1beta1', resource: 'deployments' })).toBeUndefined();
    expect(scheme.byResource({ group: '', version: 'v1', resource: '__proto__' })).toBeUndefined();
  });

  it('lists the core group first, and the preferred version of a group before the others', () => {
    const order = scheme.groupVersions();
    expect(order[0]).toBe('v1');
    expect(order.indexOf('autoscaling/v2')).toBeLessThan(order.indexOf('autoscaling/v1'));
    expect(order.every((gv) => !/alpha|beta/.test(gv))).toBe(true);
  });

  it('holds every definition that another refers to', () => {
    for (const schema of Object.values(builtInDefinitions())) {
      for (const ref of refsOf(schema)) expect(scheme.definition(ref)).toBeDefined();
    }
    expect(() => scheme.definition('constructor')).toThrow('holds no definition constructor');
  });
});

describe('rows of CRDs', () => {
  it('come and go, and move the generation', () => {
    const scheme = builtInScheme();
    const before = scheme.generation;
    scheme.add(widget, { 'com.example.v1.Widget': { type: 'object' } });
    expect(scheme.byKind(widget)).toBe(widget);
    expect(scheme.definition('com.example.v1.Widget')).toEqual({ type: 'object' });
    expect(scheme.kinds().at(-1)).toBe(widget);
    expect(scheme.generation).toBeGreaterThan(before);
    expect(scheme.remove(widget)).toBe(true);
    expect(scheme.remove(widget)).toBe(false);
    expect(scheme.byResource(widget)).toBeUndefined();
    expect(() => scheme.definition('com.example.v1.Widget')).toThrow();
  });

  it('of a definition with many versions come and go at a cost that grows with them, not with their square (issue 6, row 1)', () => {
    const readsFor = (count: number): number => {
      const scheme = builtInScheme();
      let reads = 0;
      const rows = Array.from({ length: count }, (_, i): Kind => ({
        ...widget,
        version: `v${i + 1}`,
        get resource() {
          reads += 1;
          return 'widgets';
        },
      }));
      for (const row of rows) scheme.add(row);
      expect(scheme.ofGroupVersion('example.com', `v${count}`)).toHaveLength(1);
      for (const row of rows) scheme.remove(row);
      expect(scheme.ofGroupVersion('example.com', 'v1')).toEqual([]);
      return reads;
    };
    expect(readsFor(400)).toBeLessThan(3 * readsFor(200));
  });

  it('never replace a built-in row', () => {
    const scheme = builtInScheme();
    const pods: Kind = { ...widget, group: '', version: 'v1', resource: 'pods', kind: 'Other' };
    expect(() => scheme.add(pods)).toThrow('built in');
    expect(scheme.remove({ group: '', version: 'v1', resource: 'pods' })).toBe(false);
  });
});

it('orders versions as k8s.io/apimachinery/pkg/version does', () => {
  const versions = ['v1alpha1', 'foo1', 'v2beta1', 'v10', 'v1beta2', 'v2', 'v12alpha1', 'foo10', 'v11alpha2'];
  expect(versions.sort(compareVersions)).toEqual([
    'v10',
    'v2',
    'v2beta1',
    'v1beta2',
    'v12alpha1',
    'v11alpha2',
    'v1alpha1',
    'foo1',
    'foo10',
  ]);
});
