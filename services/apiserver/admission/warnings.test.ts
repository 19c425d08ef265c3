/**
 * What kube-apiserver v1.36 accepts with a warning: formats of schemas that nothing checks, finalizers of custom
 * resources without a domain (rows 17 and 42).
 */
import { describe, expect, it } from 'vitest';
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { AdmissionAttributes } from '../ports.js';
import { definitionWarnings } from './definition-warnings.js';
import { finalizerWarnings } from './finalizer-warnings.js';
import type { AdmissionPlugin } from './plugin.js';

interface Change {
  readonly object: unknown;
  readonly oldObject?: unknown;
}

function warningsOf(plugin: AdmissionPlugin, kind: Partial<Kind>, { object, oldObject }: Change): string[] {
  const warnings: string[] = [];
  const attributes: Partial<AdmissionAttributes> = {
    kind: kind as Kind,
    object: object as KubeObject,
    warn: (message) => void warnings.push(message),
  };
  void plugin.validate?.({ ...attributes, oldObject: oldObject as KubeObject | undefined } as AdmissionAttributes);
  return warnings;
}

const DEFINITIONS = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' };
const definition = (spec: unknown) => ({
  spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema: { type: 'object', properties: { spec } } } }] },
});

describe('formats that are not known', () => {
  it.each<[string, string, boolean]>([
    ['string', 'date-time', true],
    ['string', 'email', true],
    ['string', 'k8s-short-name', true],
    ['string', 'bogus', false],
    ['string', 'int32', false],
    ['integer', 'int64', true],
    ['integer', 'email', false],
    ['integer', 'double', false],
    ['number', 'double', true],
    ['number', 'int32', false],
    ['object', 'date-time', false],
    ['array', 'byte', false],
    ['boolean', 'ipv4', false],
  ])('%s as %s', (type, format, known) => {
    const object = definition({ type, format });
    expect(warningsOf(definitionWarnings(), DEFINITIONS, { object })).toEqual(
      known ? [] : [`unrecognized format "${format}"`],
    );
    expect(warningsOf(definitionWarnings(), DEFINITIONS, { object, oldObject: object })).toEqual([]);
  });
});

const advice = (path = ''): string =>
  `prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`;

describe('finalizers of custom resources', () => {
  it.each<[string, string[]]>([
    ['a', [`metadata.finalizers: "a": ${advice()}`]],
    ['a.b', [`metadata.finalizers: "a.b": ${advice(' including a path (/)')}`]],
    ['a.example.com/b', []],
    ['kubernetes', []],
    ['foregroundDeletion', []],
  ])('%s', (name, expected) => {
    const object = { metadata: { finalizers: [name] } };
    expect(warningsOf(finalizerWarnings(), { isCustom: true }, { object })).toEqual(expected);
    expect(warningsOf(finalizerWarnings(), { isCustom: true }, { object, oldObject: object })).toEqual([]);
    expect(warningsOf(finalizerWarnings(), {}, { object })).toEqual([]);
  });
});
