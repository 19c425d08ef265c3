/**
 * Every served kind with every field set: our bytes are those of another encoder, and are read back as what was
 * written.
 */
import { describe, expect, it } from 'vitest';
import { kindRows } from '../../scheme/data.js';
import { expectedBytes } from '../../testing/expected-bytes.js';
import { messageFacts, messageOfDefinition } from '../../testing/message-facts.js';
import { sampleObject, VARIANTS } from '../../testing/sample-objects.js';
import type { SampleKind } from '../../testing/sample-objects.js';
import { isObject } from '../../value.js';
import type { JsonObject } from '../../value.js';
import { decodeProtobuf, encodeProtobuf } from './index.js';

const MAGIC = Buffer.from('k8s\0');
const UNKNOWN = 'k8s.io.apimachinery.pkg.runtime.Unknown';

/** A body as the API has it: the magic, then runtime.Unknown around the message. */
function expectedBody(message: string, object: JsonObject): Buffer {
  const raw = Buffer.from(expectedBytes(message, object)).toString('base64');
  const typeMeta = { apiVersion: object['apiVersion'], kind: object['kind'] };
  return Buffer.concat([MAGIC, expectedBytes(UNKNOWN, { typeMeta, raw, contentEncoding: '', contentType: '' })]);
}

/** Protobuf has no form of an empty list. */
function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyLists);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, item]) => !(Array.isArray(item) && item.length === 0));
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutEmptyLists(item)]));
}

interface Row extends SampleKind {
  readonly listKind?: string;
}

/** What is sent and answered besides the kinds that are served: bodies of subresources, options, errors, discovery. */
function otherBodies(): Row[] {
  const meta = ['Status', 'DeleteOptions', 'APIVersions', 'APIGroup', 'APIGroupList', 'APIResourceList'];
  const rows = meta.map((kind) => ({
    group: '',
    version: 'v1',
    kind,
    definition: `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`,
  }));
  const known = new Set(kindRows().map(({ group, version, kind }) => `${group}/${version}/${kind}`));
  for (const { subresources = [] } of kindRows()) {
    for (const { group = '', version = 'v1', kind } of subresources) {
      const name = `${group}/${version}/${kind}`;
      if (kind === undefined || known.has(name)) continue;
      known.add(name);
      rows.push({
        group,
        version,
        kind,
        definition: `io.k8s.api.${group === '' ? 'core' : group.split('.')[0]}.${version}.${kind}`,
      });
    }
  }
  return rows;
}

const rows = [...kindRows(), ...otherBodies()].map((row: Row) => ({
  ...row,
  name: `${row.group}/${row.version} ${row.kind}`,
}));

describe.each(rows)('$name', (row) => {
  const message = messageOfDefinition(row.definition);

  it('is among the facts', () => expect(messageFacts().get(message)?.length).toBeGreaterThan(0));

  it.each(VARIANTS)('%s: the bytes are those of another encoder', (variant) => {
    const object = sampleObject(row, variant);
    expect(Buffer.from(encodeProtobuf(object) ?? []).equals(expectedBody(message, object))).toBe(true);
  });

  it('full: comes back as it was', () => {
    const object = sampleObject(row, 'full');
    expect(decodeProtobuf(expectedBody(message, object))).toEqual(object);
  });

  it('extremes: come back as they were, but for empty lists', () => {
    const object = sampleObject(row, 'extremes');
    expect(decodeProtobuf(expectedBody(message, object))).toEqual(withoutEmptyLists(object));
  });

  it('zeros: what is read is written and read the same', () => {
    const once = decodeProtobuf(expectedBody(message, sampleObject(row, 'zeros')));
    expect(decodeProtobuf(encodeProtobuf(once) ?? new Uint8Array())).toEqual(once);
  });

  const { listKind } = row;
  if (listKind === undefined) return;

  it('its list has the bytes of another encoder', () => {
    const { apiVersion, kind: _kind, ...item } = sampleObject(row, 'full');
    const metadata = { resourceVersion: '7', remainingItemCount: 3 };
    const list = { kind: listKind, apiVersion, metadata, items: [item, item] };
    expect(Buffer.from(encodeProtobuf(list) ?? []).equals(expectedBody(`${message}List`, list))).toBe(true);
  });
});

describe('samples', () => {
  it('are the same at every run, and have every field', () => {
    const [pod] = rows.filter(({ name }) => name === '/v1 Pod');
    if (pod === undefined) throw new Error('there is no Pod');
    const object = sampleObject(pod, 'full');
    expect(sampleObject(pod, 'full')).toEqual(object);
    expect(object['spec']).toMatchObject({
      nodeName: 'nodename-0',
      containers: [{ env: [{}, {}] }, {}],
      terminationGracePeriodSeconds: 4,
    });
    expect(Object.keys((object['spec'] as { volumes: JsonObject[] }).volumes[0] ?? {})).toHaveLength(31);
  });
});
