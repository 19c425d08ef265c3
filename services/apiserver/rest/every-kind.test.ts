/**
 * Every kind that can be created and read, by REST: sent as protobuf, read as JSON and as protobuf whose bytes another
 * encoder makes too, listed, and written back unchanged, which changes nothing.
 */
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeJson } from '../../../apimachinery/codec/json.js';
import { decodeProtobuf, encodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import { kindRows } from '../../../apimachinery/scheme/data.js';
import type { KindRow } from '../../../apimachinery/scheme/data.js';
import { expectedBytes } from '../../../apimachinery/testing/expected-bytes.js';
import { messageOfDefinition } from '../../../apimachinery/testing/message-facts.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { createSigningRequest } from '../../../platform/pki/x509.js';
import { startApiServer } from '../testing/api-server.js';
import { PRESCRIBED_NAMES, VALID_OBJECTS } from '../testing/valid-objects.js';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const JSON_TYPE = 'application/json';

const apiVersionOf = ({ group, version }: KindRow): string => (group === '' ? version : `${group}/${version}`);
const validOf = (row: KindRow): JsonObject | undefined =>
  row.kind === 'CertificateSigningRequest'
    ? signing
    : (VALID_OBJECTS[`${apiVersionOf(row)} ${row.kind}`] ?? VALID_OBJECTS[row.kind]);

const rows = kindRows()
  .filter(({ verbs }) => verbs.includes('create') && verbs.includes('get'))
  .map((row) => ({ ...row, title: `${apiVersionOf(row)} ${row.kind}` }));

let running: Awaited<ReturnType<typeof startApiServer>>;
let dispatcher: Agent;
/** A CertificateSigningRequest, whose request has to be a real one. */
let signing: JsonObject;

beforeAll(async () => {
  const { request } = await createSigningRequest({ commonName: 'sample' });
  signing = {
    spec: {
      request: Buffer.from(request).toString('base64'),
      signerName: 'example.com/signer',
      usages: ['client auth'],
      expirationSeconds: 2147483647,
    },
  };
  running = await startApiServer();
  dispatcher = new Agent({ connect: { ca: running.certificate } });
});

afterAll(async () => {
  await dispatcher.destroy();
  await running[Symbol.asyncDispose]();
});

async function ask(path: string, accept: string, body?: { readonly method: string; readonly bytes: Uint8Array }) {
  const response = await fetch(`${running.url}${path}`, {
    dispatcher,
    headers: { accept, ...(body === undefined ? {} : { 'content-type': PROTOBUF }) },
    ...(body === undefined ? {} : { method: body.method, body: body.bytes }),
  });
  return { code: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
}

const collectionOf = (row: KindRow): string =>
  `${row.group === '' ? '/api' : '/apis'}/${apiVersionOf(row)}${row.namespaced ? '/namespaces/default' : ''}/${row.plural}`;
const jsonOf = (bytes: Buffer): JsonObject => decodeJson(bytes) as JsonObject;

/** As another encoder has it, from what was read as JSON. */
function expectedBody(row: KindRow, object: JsonObject): Buffer {
  const raw = Buffer.from(expectedBytes(messageOfDefinition(row.definition), object)).toString('base64');
  const typeMeta = { apiVersion: object['apiVersion'], kind: object['kind'] };
  const unknown = { typeMeta, raw, contentEncoding: '', contentType: '' };
  return Buffer.concat([Buffer.from('k8s\0'), expectedBytes('k8s.io.apimachinery.pkg.runtime.Unknown', unknown)]);
}

describe.each(rows)('$title', (row) => {
  // Two groups' events, and two versions' autoscalers, are the same objects.
  const name = PRESCRIBED_NAMES[row.kind] ?? `sample-${row.group}${row.version}`;
  const path = `${collectionOf(row)}/${name}`;

  it('is taken in as protobuf, and read as it was sent', async () => {
    const valid = validOf(row);
    if (valid === undefined) throw new Error(`services/apiserver/testing/valid-objects.ts has no ${row.title}`);
    const labels =
      row.kind === 'IPAddress'
        ? { 'ipaddress.kubernetes.io/managed-by': 'test', 'ipaddress.kubernetes.io/ip-family': 'IPv4' }
        : { app: 'web' };
    const namespace = row.namespaced ? { namespace: 'default' } : {};
    const object = {
      apiVersion: apiVersionOf(row),
      kind: row.kind,
      metadata: { name, labels, ...namespace },
      ...valid,
    };
    const created = await ask(collectionOf(row), JSON_TYPE, {
      method: 'POST',
      bytes: encodeProtobuf(object) ?? new Uint8Array(),
    });
    expect([created.code, created.code === 201 ? '' : jsonOf(created.bytes)['message']]).toEqual([201, '']);
    expect(withoutEmptyLists(jsonOf((await ask(path, JSON_TYPE)).bytes))).toMatchObject(
      withoutEmptyLists(object) as JsonObject,
    );
  });

  it('is answered in the bytes of another encoder, alone and in a list', async () => {
    const json = jsonOf((await ask(path, JSON_TYPE)).bytes);
    const { bytes } = await ask(path, PROTOBUF);
    expect(bytes.equals(expectedBody(row, json))).toBe(true);
    const list = decodeProtobuf((await ask(collectionOf(row), PROTOBUF)).bytes);
    const { apiVersion: _version, kind: _kind, ...item } = decodeProtobuf(bytes);
    expect(list['items']).toContainEqual(item);
  });

  it('written back as it was read stays as it is', async () => {
    const { bytes } = await ask(path, PROTOBUF);
    const written = await ask(path, PROTOBUF, { method: 'PUT', bytes });
    expect([written.code, decodeProtobuf(written.bytes)]).toEqual([200, decodeProtobuf(bytes)]);
  });
});

/** Protobuf has no form of an empty list, and JSON leaves it out. */
function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyLists);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, item]) => !(Array.isArray(item) && item.length === 0));
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutEmptyLists(item)]));
}
