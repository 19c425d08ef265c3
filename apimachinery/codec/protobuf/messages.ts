/**
 * What the codec knows of a message: its fields by number and by JSON name, parsed from the compiled data when the
 * message is first met. Field strings are `name=number[shape][!]:type`, where `*` is a list, `%` a map with string
 * keys, `^` a message whose fields stand in its parent's place in JSON, and `!` keeps a zero that was sent.
 */
import { assert, present } from '../../../platform/assert.js';
import { builtInDefinitions, protobufData } from '../../scheme/data.js';
import type { Schema } from '../../schema.js';

export type Scalar = 'string' | 'int32' | 'int64' | 'bool' | 'bytes' | 'double';

export interface Field {
  readonly name: string;
  readonly number: number;
  readonly shape: 'single' | 'list' | 'map' | 'inline';
  /** A single scalar that is zero is left out of JSON unless this is set (Go's omitempty). */
  readonly keepsZero: boolean;
  readonly scalar?: Scalar;
  /** Full name of the message type, for all that is not scalar. */
  readonly message?: string;
}

export interface Message {
  readonly name: string;
  /** In the order of field numbers: the order of encoding. */
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
  readonly byName: ReadonlyMap<string, Field>;
}

const SCALARS: Readonly<Record<string, Scalar>> = {
  s: 'string',
  i: 'int32',
  l: 'int64',
  b: 'bool',
  y: 'bytes',
  d: 'double',
};
const SHAPES: Readonly<Record<string, Field['shape']>> = { '*': 'list', '%': 'map', '^': 'inline', '': 'single' };

const parsed = new Map<string, Message>();

export function messageNamed(name: string): Message {
  let message = parsed.get(name);
  if (message === undefined) {
    const at = name.lastIndexOf('.');
    const text = protobufData().messages[name.slice(0, at)]?.[name.slice(at + 1)];
    message = parseMessage(name, present(text, `no protobuf message ${name}`));
    parsed.set(name, message);
  }
  return message;
}

function parseMessage(name: string, text: string): Message {
  const home = name.slice(0, name.lastIndexOf('.'));
  const known = builtInDefinitions()[definitionOf(name)]?.properties ?? {};
  const fields = text === '' ? [] : text.split(' ').map((field) => withEncoding(parseField(field, home), known));
  return {
    name,
    fields,
    byNumber: new Map(fields.map((field) => [field.number, field])),
    byName: new Map(fields.map((field) => [field.name, field])),
  };
}

/** What is known of the Go type goes before the field's own mark, which older versions' messages are left with. */
function withEncoding(field: Field, properties: Readonly<Record<string, Schema>>): Field {
  const property = Object.hasOwn(properties, field.name) ? properties[field.name] : undefined;
  return property === undefined ? field : { ...field, keepsZero: property.encoding !== 'omit' };
}

/** `io.k8s.api.core.v1.Pod` of `k8s.io.api.core.v1.Pod`. */
const definitionOf = (message: string): string =>
  message
    .replace(/^k8s\.io\./, 'io.k8s.')
    .replace('apiextensions_apiserver', 'apiextensions-apiserver')
    .replace('kube_aggregator', 'kube-aggregator');

function parseField(text: string, home: string): Field {
  const match = /^([^=]+)=(\d+)([*%^]?)(!?):(.+)$/.exec(text);
  assert(match !== null, `malformed field facts: ${text}`);
  const [, name = '', number, shape = '', zero, type = ''] = match;
  const scalar = SCALARS[type];
  return {
    name,
    number: Number(number),
    shape: SHAPES[shape] ?? 'single',
    keepsZero: zero === '!',
    ...(scalar === undefined ? { message: messageOf(type, home) } : { scalar }),
  };
}

function messageOf(type: string, home: string): string {
  const [index = '', simple = ''] = type.split('.');
  const owner = index === '' ? home : present(protobufData().packages[Number(index)], `no package ${index}`);
  return `${owner}.${simple}`;
}

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const PACKAGE_LABELS: Readonly<Record<string, string>> = {
  '': 'k8s.io.api.core',
  'internal.apiserver.k8s.io': 'k8s.io.api.apiserverinternal',
  'apiextensions.k8s.io': 'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions',
  'apiregistration.k8s.io': 'k8s.io.kube_aggregator.pkg.apis.apiregistration',
};

/** The message that carries a kind: of its group and version, or of metav1 (DeleteOptions lives in every group). */
export function messageOfKind(apiVersion: string, kind: string): Message | undefined {
  const slash = apiVersion.indexOf('/');
  const group = slash === -1 ? '' : apiVersion.slice(0, slash);
  const label = Object.hasOwn(PACKAGE_LABELS, group) ? PACKAGE_LABELS[group] : `k8s.io.api.${group.split('.')[0]}`;
  for (const owner of [`${label}.${apiVersion.slice(slash + 1)}`, META]) {
    const messages = protobufData().messages;
    const found = Object.hasOwn(messages, owner) ? messages[owner] : undefined;
    if (found !== undefined && Object.hasOwn(found, kind)) return messageNamed(`${owner}.${kind}`);
  }
  return undefined;
}
