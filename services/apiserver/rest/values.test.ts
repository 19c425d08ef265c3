/** Values that have one stored form, whatever the client wrote: times, bytes, and nulls that a template left behind. */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { at } from '../../../apimachinery/kinds/lib/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { startApiServer } from '../testing/api-server.js';

const CORE = '/api/v1/namespaces/default';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const THINGS = '/apis/case.example/v1/namespaces/default/things';

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const send = async (method: string, path: string, body?: unknown, type = 'application/json'): Promise<JsonObject> => {
    const response = await fetch(`${running.url}${path}`, {
      method,
      dispatcher,
      headers: { 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as JsonObject;
  };
  let serial = 0;
  return {
    send,
    post: (path: string, object: JsonObject) =>
      send('POST', path, { metadata: { name: `a${(serial += 1)}` }, ...object }),
    /** Of a custom resource with these properties under spec. */
    async define(properties: JsonObject): Promise<(spec: unknown) => Promise<JsonObject>> {
      await send('POST', CRDS, {
        metadata: { name: 'things.case.example' },
        spec: {
          group: 'case.example',
          scope: 'Namespaced',
          names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
            },
          ],
        },
      });
      const make = (spec: unknown) =>
        send('POST', THINGS, { apiVersion: 'case.example/v1', kind: 'Thing', metadata: { generateName: 'a-' }, spec });
      for (let attempt = 0; attempt < 1000 && at(await make({}), 'kind') !== 'Thing'; attempt += 1)
        await new Promise((resolve) => {
          setTimeout(resolve, 50);
        });
      return make;
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

describe('times', () => {
  it('of built-in kinds are stored in UTC, in whole seconds or six digits', async () => {
    await using test = await start();
    const event = {
      involvedObject: { namespace: 'default' },
      eventTime: '2026-11-28T10:00:00.123456+02:00',
      firstTimestamp: '2026-11-28T10:00:00.999+02:00',
      lastTimestamp: '2026-11-28T08:00:00Z',
      reason: 'r',
      action: 'a',
      reportingComponent: 'c',
      reportingInstance: 'i',
    };
    expect(await test.post(`${CORE}/events`, event)).toMatchObject({
      eventTime: '2026-11-28T08:00:00.123456Z',
      firstTimestamp: '2026-11-28T08:00:00Z',
      lastTimestamp: '2026-11-28T08:00:00Z',
    });
    const lease = await test.post(LEASES, {
      spec: { acquireTime: null, renewTime: '2026-11-28T00:30:00.000001-07:30' },
    });
    expect(lease['spec']).toEqual({ renewTime: '2026-11-28T08:00:00.000001Z' });
    expect(
      await test.post(`${CORE}/events`, {
        involvedObject: { namespace: 'default' },
        firstTimestamp: '0001-01-01T00:00:00Z',
      }),
    ).toMatchObject({ firstTimestamp: null });
  });

  it.each<[string, unknown, string]>([
    [
      'renewTime',
      '2026-11-28T08:00:00Z',
      'parsing time "2026-11-28T08:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    ],
    ['acquireTime', '2026-02-30T08:00:00.000000Z', 'parsing time "2026-02-30T08:00:00.000000Z": day out of range'],
    ['renewTime', 5, 'json: cannot unmarshal number into Go struct field LeaseSpec.spec.renewTime of type string'],
  ])("a Lease's %s %j is refused", async (field, value, why) => {
    await using test = await start();
    expect(await test.post(LEASES, { spec: { [field]: value } })).toMatchObject({
      code: 400,
      message: `Lease in version "v1" cannot be handled as a Lease: ${why}`,
    });
  });

  it('of custom resources are judged by strfmt, and stay as they are', async () => {
    await using test = await start();
    const make = await test.define({
      at: { type: 'string', format: 'date-time' },
      on: { type: 'string', format: 'date' },
    });
    const spec = { at: '2026-11-28t08:00:00.5+01:00', on: '2024-02-29' };
    expect((await make(spec))['spec']).toEqual(spec);
    for (const wrong of [
      { at: '2026-11-28' },
      { at: '2026-11-28T24:00:00Z' },
      { on: '2023-02-29' },
      { on: '2024-2-29' },
    ])
      expect(await make(wrong)).toMatchObject({ code: 422 });
  });
});

describe('bytes', () => {
  it('are canonical in every kind', async () => {
    await using test = await start();
    expect(
      (await test.post(`${CORE}/secrets`, { data: { a: 'AAAA\nAAAA\n', b: 'aGVs\r\nbG8=', c: 'YR==' } }))['data'],
    ).toEqual({ a: 'AAAAAAAA', b: 'aGVsbG8=', c: 'YQ==' });
    expect((await test.post(`${CORE}/configmaps`, { binaryData: { a: 'aGk=\n' } }))['binaryData']).toEqual({
      a: 'aGk=',
    });
    const webhook = await test.post('/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {
      webhooks: [
        {
          name: 'a.b.c',
          clientConfig: { url: 'https://a.b/c', caBundle: 'aGk=\r\n' },
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    });
    expect(at(webhook, 'webhooks')).toMatchObject([{ clientConfig: { caBundle: 'aGk=' } }]);
    expect(await test.post(`${CORE}/secrets`, { data: { a: 'aGVs bG8=' } })).toMatchObject({
      code: 400,
      message: 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 4',
    });
  });
});

describe('null', () => {
  it('is the zero of its type in a map, and absence in a field', async () => {
    await using test = await start();
    const pod = await test.post(`${CORE}/pods`, {
      spec: {
        nodeSelector: null,
        containers: [{ name: 'a', image: 'b', env: null, resources: { limits: { cpu: null, memory: '1Gi' } } }],
      },
    });
    expect(at(pod, 'spec', 'containers')).toMatchObject([{ resources: { limits: { cpu: '0', memory: '1Gi' } } }]);
    expect(at(await test.post(`${CORE}/resourcequotas`, { spec: { hard: { cpu: null } } }), 'spec')).toEqual({
      hard: { cpu: '0' },
    });
    expect(
      at(
        await test.post(`${CORE}/limitranges`, { spec: { limits: [{ type: 'Container', default: { cpu: null } }] } }),
        'spec',
        'limits',
      ),
    ).toMatchObject([{ default: { cpu: '0' } }]);
    expect(await test.post(`${CORE}/configmaps`, { data: { a: null } })).toMatchObject({ data: { a: '' } });
  });

  it('in a custom resource becomes the default, stays where it may, and is dropped elsewhere', async () => {
    await using test = await start();
    const make = await test.define({
      nul: { type: 'string', nullable: true, default: 'd' },
      def: { type: 'string', default: 'd' },
      plain: { type: 'string' },
      map: { type: 'object', additionalProperties: { type: 'string' } },
      deflts: { type: 'object', additionalProperties: { type: 'string', default: 'x' } },
      list: { type: 'array', items: { type: 'object', properties: { a: { type: 'string' } } } },
      any: { 'x-kubernetes-preserve-unknown-fields': true, type: 'object' },
    });
    const plain = { nul: 'd', def: 'd' };
    for (const [spec, wanted] of [
      [{ nul: null }, { nul: null, def: 'd' }],
      [{ def: null }, plain],
      [{ plain: null }, plain],
      [{ map: { a: null, b: 'x' } }, { ...plain, map: { b: 'x' } }],
      [{ deflts: { a: null } }, { ...plain, deflts: { a: 'x' } }],
      [{ list: [{ a: null }] }, { ...plain, list: [{}] }],
      [{ any: { a: null } }, { ...plain, any: { a: null } }],
      [null, undefined],
    ] as const)
      expect([spec, (await make(spec))['spec']]).toEqual([spec, wanted]);
  });
});
