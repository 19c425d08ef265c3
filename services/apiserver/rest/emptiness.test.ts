/**
 * Empty is absent, unless Go's encoder writes it: what kube-apiserver v1.36 answers to the same objects. The facts of
 * all kinds are checked against each other, and a table against what upstream printed.
 */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { encodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import { at } from '../../../apimachinery/kinds/lib/value.js';
import { builtInScheme } from '../../../apimachinery/scheme/builtin.js';
import { isOmitted, normalise } from '../../../apimachinery/schema/encoding.js';
import { resolverOf } from '../../../apimachinery/schema/resolve.js';
import type { Schema } from '../../../apimachinery/schema.js';
import { cloneJson } from '../../../apimachinery/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { startApiServer } from '../testing/api-server.js';

const NAMESPACE = 'namespaces/default';

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const send = async (method: string, path: string, body?: unknown, type = 'application/json'): Promise<JsonObject> => {
    const response = await fetch(`${running.url}${path}`, {
      method,
      dispatcher,
      headers: { 'content-type': type },
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
    });
    return (await response.json()) as JsonObject;
  };
  return {
    ...running,
    send,
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const plainPod = { containers: [{ name: 'c', image: 'i' }] };
const emptyPod = {
  nodeSelector: {},
  tolerations: [],
  hostNetwork: false,
  hostPID: false,
  volumes: [],
  initContainers: [],
  imagePullSecrets: [],
  serviceAccountName: '',
  hostAliases: [],
  containers: [
    {
      name: 'c',
      image: 'i',
      env: [],
      command: [],
      args: [],
      ports: [],
      volumeMounts: [],
      stdin: false,
      tty: false,
      workingDir: '',
      resources: { limits: {}, requests: {} },
    },
  ],
};
const workload = (spec: JsonObject) => ({
  selector: { matchLabels: { a: 'b' } },
  template: { metadata: { labels: { a: 'b' } }, spec },
});

describe('fields of a template', () => {
  it('that are empty are dropped, as if they had not been sent, and move no generation', async () => {
    await using test = await start();
    const path = `/apis/apps/v1/${NAMESPACE}/deployments`;
    const plain = await test.send('POST', path, { metadata: { name: 'a' }, spec: workload(plainPod) });
    const empty = await test.send('POST', path, {
      metadata: { name: 'b', annotations: {}, ownerReferences: [] },
      spec: { ...workload(emptyPod), minReadySeconds: 0, paused: false, strategy: {} },
    });
    expect(empty['spec']).toEqual(plain['spec']);
    expect(Object.keys(empty['metadata'] as object)).not.toContain('ownerReferences');
    expect(at(empty, 'spec', 'template', 'spec', 'containers')).toMatchObject([{ resources: {} }]);
    const changed = await test.send('PUT', `${path}/a`, {
      ...plain,
      spec: { ...(plain['spec'] as object), ...workload(emptyPod) },
    });
    expect([at(changed, 'metadata', 'generation'), changed['spec']]).toEqual([1, plain['spec']]);
    const patched = await test.send(
      'PATCH',
      `${path}/a`,
      { spec: { template: { spec: { nodeSelector: {}, tolerations: [] } } }, metadata: { ownerReferences: [] } },
      'application/merge-patch+json',
    );
    expect(at(patched, 'metadata', 'resourceVersion')).toBe(at(plain, 'metadata', 'resourceVersion'));
  });

  it('keep zeros of pointers, in JSON and in protobuf', async () => {
    await using test = await start();
    const object = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
      spec: {
        ...plainPod,
        hostUsers: true,
        enableServiceLinks: false,
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        securityContext: {},
        setHostnameAsFQDN: false,
        tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 0 }],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
    };
    for (const [name, body, type] of [
      ['a', object, 'application/json'],
      ['b', encodeProtobuf({ ...object, metadata: { name: 'b' } }), 'application/vnd.kubernetes.protobuf'],
    ] as const) {
      const made = await test.send('POST', `/api/v1/${NAMESPACE}/pods`, body, type);
      const { containers: _, tolerations: __, ...kept } = object.spec;
      expect([name, made['spec']]).toEqual([name, expect.objectContaining(kept)]);
      expect(at(made, 'spec', 'tolerations')).toEqual(
        expect.arrayContaining([expect.objectContaining({ tolerationSeconds: 0 })]),
      );
    }
  });
});

describe('what Go always writes', () => {
  const group = (name: string, version = 'v1') => `/apis/${name}/${version}/${NAMESPACE}`;
  it.each<[string, string, JsonObject, JsonObject]>([
    ['Deployment', `${group('apps')}/deployments`, { spec: workload(plainPod) }, { status: {} }],
    [
      'StatefulSet',
      `${group('apps')}/statefulsets`,
      { spec: workload(plainPod) },
      { status: { replicas: 0, availableReplicas: 0 } },
    ],
    ['Service', `/api/v1/${NAMESPACE}/services`, { spec: { ports: [{ port: 80 }] } }, { status: { loadBalancer: {} } }],
    [
      'Event',
      `/api/v1/${NAMESPACE}/events`,
      { involvedObject: { namespace: 'default' } },
      {
        eventTime: null,
        firstTimestamp: null,
        lastTimestamp: null,
        source: {},
        reportingComponent: '',
        reportingInstance: '',
      },
    ],
    ['Role', `${group('rbac.authorization.k8s.io')}/roles`, { rules: [] }, { rules: null }],
    [
      'EndpointSlice',
      `${group('discovery.k8s.io')}/endpointslices`,
      { addressType: 'IPv4', endpoints: [], ports: [] },
      { endpoints: null, ports: null },
    ],
    [
      'EndpointSlice with an endpoint',
      `${group('discovery.k8s.io')}/endpointslices`,
      { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }] },
      { endpoints: [{ addresses: ['10.0.0.1'], conditions: {} }], ports: null },
    ],
    [
      'PodDisruptionBudget',
      `${group('policy')}/poddisruptionbudgets`,
      { spec: { minAvailable: 1, selector: {} } },
      {
        spec: { minAvailable: 1, selector: {} },
        status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
      },
    ],
    [
      'HorizontalPodAutoscaler',
      `${group('autoscaling', 'v2')}/horizontalpodautoscalers`,
      { spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' } } },
      { status: { currentMetrics: null, desiredReplicas: 0 } },
    ],
    [
      'HorizontalPodAutoscaler v1',
      `${group('autoscaling')}/horizontalpodautoscalers`,
      { spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' } } },
      {
        spec: {
          minReplicas: 1,
          maxReplicas: 2,
          targetCPUUtilizationPercentage: 80,
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' },
        },
        status: { currentReplicas: 0, desiredReplicas: 0 },
      },
    ],
    [
      'NetworkPolicy',
      `${group('networking.k8s.io')}/networkpolicies`,
      { spec: { ingress: [] } },
      { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
    ],
    ['Lease', `${group('coordination.k8s.io')}/leases`, {}, { spec: {} }],
    ['LimitRange', `/api/v1/${NAMESPACE}/limitranges`, { spec: {} }, { spec: { limits: null } }],
    [
      'ResourceClaim',
      `${group('resource.k8s.io')}/resourceclaims`,
      { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } } },
      {
        spec: {
          devices: {
            requests: [{ name: 'r', exactly: { deviceClassName: 'c', allocationMode: 'ExactCount', count: 1 } }],
          },
        },
        status: {},
      },
    ],
    [
      'ResourceClaim without devices',
      `${group('resource.k8s.io')}/resourceclaims`,
      { spec: {} },
      { spec: { devices: { requests: null } }, status: {} },
    ],
    [
      'PersistentVolumeClaim template',
      `${group('apps')}/statefulsets`,
      {
        spec: {
          ...workload(plainPod),
          volumeClaimTemplates: [
            {
              metadata: { name: 'v' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          ],
        },
      },
      { status: { replicas: 0, availableReplicas: 0 } },
    ],
  ])('%s', async (_, path, object, wanted) => {
    await using test = await start();
    const made = await test.send('POST', path, { metadata: { name: 'a' }, ...object });
    const shown = await test.send('GET', `${path}/a`);
    for (const [field, value] of Object.entries(wanted))
      expect([field, made[field], shown[field]]).toEqual([field, value, value]);
  });

  it('belongs to nobody, unless it stands in what a client made', async () => {
    await using test = await start();
    const owned = async (path: string, object: JsonObject) =>
      at(
        (
          (await test.send('POST', path, { metadata: { name: 'a' }, ...object }))['metadata'] as {
            managedFields: JsonObject[];
          }
        ).managedFields[0],
        'fieldsV1',
      );
    const event = await owned(`/api/v1/${NAMESPACE}/events`, { involvedObject: { namespace: 'default' }, reason: 'r' });
    expect(event).toEqual({ 'f:involvedObject': {}, 'f:reason': {} });
    expect(await owned('/apis/scheduling.k8s.io/v1/priorityclasses', { value: 0 })).toEqual({
      'f:preemptionPolicy': {},
    });
    const deployment = await owned(`${group('apps')}/deployments`, { spec: workload(plainPod) });
    expect(Object.keys(deployment as object)).toEqual(['f:spec']);
    expect(at(deployment, 'f:spec', 'f:template', 'f:spec', 'f:containers', 'k:{"name":"c"}')).toMatchObject({
      'f:resources': {},
    });
    const first = await test.send('GET', `${group('apps')}/deployments/a`);
    const { resources: _, ...bare } = { ...plainPod.containers[0], resources: {} };
    const put = await test.send('PUT', `${group('apps')}/deployments/a?fieldManager=other`, {
      ...first,
      spec: {
        ...(first['spec'] as object),
        template: { ...(at(first, 'spec', 'template') as object), spec: { containers: [bare] } },
      },
    });
    expect(at(put, 'metadata', 'managedFields')).toEqual(at(first, 'metadata', 'managedFields'));
  });

  it('stands in objects that were stored without it', async () => {
    await using test = await start();
    const old = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'old', namespace: 'default', uid: 'u', ownerReferences: [] },
      spec: { ...workload({ ...plainPod, tolerations: [], nodeSelector: {} }), minReadySeconds: 0 },
    };
    await test.store.txn({
      compare: [],
      success: [
        { kind: 'put', key: Buffer.from('/registry/deployments/default/old'), value: Buffer.from(JSON.stringify(old)) },
      ],
      failure: [],
    });
    const read = await test.send('GET', `/apis/apps/v1/${NAMESPACE}/deployments/old`);
    const made = await test.send('POST', `/apis/apps/v1/${NAMESPACE}/deployments`, {
      metadata: { name: 'new' },
      spec: workload(plainPod),
    });
    expect([read['spec'], read['status']]).toEqual([made['spec'], {}]);
    expect(at(read, 'metadata', 'ownerReferences')).toBeUndefined();
  });
});

describe('the facts of all kinds', () => {
  const scheme = builtInScheme();
  const resolver = resolverOf(scheme);

  function definitions(declared: Schema, seen = new Set<Schema>()): Set<Schema> {
    const schema = resolver.resolve(declared);
    if (seen.has(schema)) return seen;
    seen.add(schema);
    for (const child of [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties])
      if (child !== undefined) definitions(child, seen);
    return seen;
  }
  const all = new Set(scheme.kinds().flatMap((kind) => [...definitions(kind.schema)]));

  // Empty policies of an autoscaler are refused, absent ones have a default.
  const rules = scheme.definition('io.k8s.api.autoscaling.v2.HPAScalingRules');

  it('agree with the schemas: lists and maps are omitted or null, and structs are objects', () => {
    let count = 0;
    for (const schema of all) {
      for (const [name, property] of Object.entries(schema.properties ?? {})) {
        const { type, additionalProperties, properties, preserveUnknown } = resolver.resolve(property);
        if (property.encoding === 'struct')
          expect([name, type, properties !== undefined]).toEqual([name, 'object', true]);
        const isToldApart = schema === rules && name === 'policies';
        if (!isToldApart && (type === 'array' || additionalProperties !== undefined))
          expect([name, property.encoding]).toEqual([name, expect.stringMatching(/^(omit|null)$/)]);
        if (property.encoding === 'omit' && type === 'object')
          expect([name, preserveUnknown ?? additionalProperties !== undefined]).toEqual([name, true]);
        if (property.encoding !== undefined) count += 1;
      }
    }
    expect(count).toBeGreaterThan(1500);
  });

  it('make a form that is its own form, without anything that is omitted', () => {
    for (const kind of scheme.kinds()) {
      const object: JsonObject = { metadata: { name: 'a', labels: {}, finalizers: [] } };
      normalise(object, kind.schema, resolver);
      const again = cloneJson(object);
      normalise(again, kind.schema, resolver);
      expect(again).toEqual(object);
      expect(object['metadata']).toEqual({ name: 'a' });
      const { properties = {} } = resolver.resolve(kind.schema);
      for (const [name, value] of Object.entries(object))
        expect(isOmitted(value, properties[name] ?? {}, resolver)).toBe(false);
    }
  });
});

describe('a custom resource', () => {
  it('that was stored before its definition had a default has it when it is read, and in lists and watches', async () => {
    await using test = await start();
    const definition = (properties: JsonObject) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'foos.case.example' },
      spec: {
        group: 'case.example',
        scope: 'Namespaced',
        names: { plural: 'foos', singular: 'foo', kind: 'Foo', listKind: 'FooList' },
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
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const foos = `/apis/case.example/v1/${NAMESPACE}/foos`;
    await test.send('POST', crds, definition({ a: { type: 'string' } }));
    const made = () =>
      test.send('POST', foos, { apiVersion: 'case.example/v1', kind: 'Foo', metadata: { name: 'a' }, spec: {} });
    for (let attempt = 0; attempt < 1000 && at(await made(), 'reason') !== 'AlreadyExists'; attempt += 1)
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    await test.send(
      'PATCH',
      `${crds}/foos.case.example`,
      { spec: definition({ a: { type: 'string', default: 'x' } }).spec },
      'application/merge-patch+json',
    );
    let read = {};
    for (let attempt = 0; attempt < 1000 && at(read, 'spec', 'a') === undefined; attempt += 1) {
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
      read = await test.send('GET', `${foos}/a`);
    }
    expect(at(read, 'spec', 'a')).toBe('x');
    expect(at(await test.send('GET', foos), 'items')).toMatchObject([{ spec: { a: 'x' } }]);
    expect(await test.send('GET', `${foos}?watch=1&timeoutSeconds=1`)).toMatchObject({
      type: 'ADDED',
      object: { spec: { a: 'x' } },
    });
  });
});
