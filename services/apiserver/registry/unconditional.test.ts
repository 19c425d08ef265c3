/**
 * Which kinds may be replaced by an object that does not say what it replaces: kube-apiserver's strategies,
 * AllowUnconditionalUpdate (row 17).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { kindsOfDefinition } from '../../../apimachinery/scheme/custom-kinds.js';
import { isApiError } from '../../../apimachinery/status.js';
import { startRegistry } from './testing.js';

let started: Awaited<ReturnType<typeof startRegistry>>;

beforeAll(async () => {
  started = await startRegistry();
  return () => started[Symbol.asyncDispose]();
});

const REFUSED = 'metadata.resourceVersion: Invalid value: 0: must be specified for an update';

/** The complaint about a replacement without resourceVersion; undefined when it is taken. */
async function replaced(kindName: string, body: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const resource = started.scheme.kinds().find((row) => row.kind === kindName);
  if (resource === undefined) throw new Error(`no kind ${kindName}`);
  const object: UnknownObject = {
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: kindName,
    metadata: { name: 'a' },
    ...body,
  };
  const place = { resource, ...(resource.namespaced ? { namespace: 'n' } : {}) };
  await started.service.create({ ...place, object });
  try {
    await started.service.update({ ...place, name: 'a', object: object as KubeObject });
    return undefined;
  } catch (error) {
    if (!isApiError(error)) throw error;
    const name = `${resource.resource}${resource.group === '' ? '' : `.${resource.group}`}`;
    return error.message.replace(`${name} "a" is invalid: `, '');
  }
}

describe('an update without resourceVersion', () => {
  it.each<[string, Record<string, unknown>]>([
    ['PodDisruptionBudget', { spec: { minAvailable: 1 } }],
    ['RuntimeClass', { handler: 'h' }],
    ['Lease', { spec: {} }],
    ['ValidatingWebhookConfiguration', { webhooks: [] }],
    ['MutatingWebhookConfiguration', { webhooks: [] }],
    ['ValidatingAdmissionPolicyBinding', { spec: { policyName: 'p', validationActions: ['Deny'] } }],
    ['MutatingAdmissionPolicyBinding', { spec: { policyName: 'p' } }],
    ['CSIDriver', { spec: {} }],
    ['CSINode', { spec: { drivers: [] } }],
    ['CSIStorageCapacity', { storageClassName: 'c' }],
    ['VolumeAttachment', { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'p' } } }],
  ])('of a %s is refused', async (kind, body) => expect(await replaced(kind, body)).toBe(REFUSED));

  it.each<[string, Record<string, unknown>]>([
    ['ConfigMap', { data: { a: 'b' } }],
    ['Role', { rules: [] }],
    ['PriorityClass', { value: 1 }],
    ['LimitRange', { spec: { limits: [] } }],
  ])('of a %s is taken', async (kind, body) => expect(await replaced(kind, body)).toBeUndefined());

  it('of a custom resource is refused', async () => {
    const [tabs] = kindsOfDefinition({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'tabs.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'tabs', kind: 'Tab' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    } as never);
    if (tabs === undefined) throw new Error('the definition serves no version');
    started.scheme.add(tabs);
    expect(await replaced('Tab', {})).toBe(REFUSED);
  });
});
