/** plugin/pkg/admission/certificates: codes and words were put to kube-apiserver. */
import { describe, expect, it } from 'vitest';
import { certificateSigningRequests } from '../../../apimachinery/gen/resources.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { createSigningRequest } from '../../../platform/pki/x509.js';
import { RbacAuthorizer } from '../auth/rbac-authorizer.js';
import type { AdmissionAttributes } from '../ports.js';
import { MapReader } from '../testing-reader.js';
import { certificateRights } from './certificates.js';

const CLIENT = 'kubernetes.io/kube-apiserver-client';

function refused(
  attributes: Partial<AdmissionAttributes>,
  right?: readonly [verb: string, signer: string],
): Promise<string> {
  const reader = new MapReader();
  if (right !== undefined) {
    reader.put('clusterroles', {
      metadata: { name: 'r' },
      rules: [
        { verbs: [right[0]], apiGroups: ['certificates.k8s.io'], resources: ['signers'], resourceNames: [right[1]] },
      ],
    } as KubeObject);
    reader.put('clusterrolebindings', {
      metadata: { name: 'r' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' },
      subjects: [{ kind: 'User', name: 'jane' }],
    } as KubeObject);
  }
  const whole: AdmissionAttributes = {
    kind: certificateSigningRequests as unknown as Kind,
    objectKind: { group: '', version: 'v1', kind: '' },
    operation: 'UPDATE',
    name: 'x',
    object: undefined,
    oldObject: undefined,
    user: { name: 'jane', groups: ['system:authenticated'] },
    dryRun: false,
    options: {},
    warn: () => undefined,
    ...attributes,
  };
  return Promise.resolve(certificateRights(new RbacAuthorizer(reader)).validate?.(whole)).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}

const request = (signerName: string, status: object = {}) =>
  ({ metadata: { name: 'x' }, spec: { signerName, request: '', usages: [] }, status }) as KubeObject;
const approved = { conditions: [{ type: 'Approved', status: 'True' }] };
const FORBIDDEN = 'certificatesigningrequests.certificates.k8s.io "x" is forbidden: ';

describe('requests for certificates', () => {
  it.each<[organizations: readonly string[], signer: string, message: string]>([
    [['system:masters'], CLIENT, `${FORBIDDEN}use of ${CLIENT} signer with system:masters group is not allowed`],
    [['dev', 'system:masters'], CLIENT, `${FORBIDDEN}use of ${CLIENT} signer with system:masters group is not allowed`],
    [['dev'], CLIENT, ''],
    [[], CLIENT, ''],
    [['system:masters'], 'example.com/other', ''],
  ])('of the organizations %j, to be signed by %s', async (organizations, signerName, message) => {
    const { request: pem } = await createSigningRequest({ commonName: 'jane', organizations });
    const object = {
      metadata: { name: 'x' },
      spec: { signerName, request: Buffer.from(pem).toString('base64'), usages: ['client auth'] },
    } as KubeObject;
    expect(await refused({ operation: 'CREATE', object })).toBe(message);
  });

  it('to be client certificates must be readable', async () => {
    expect(await refused({ operation: 'CREATE', object: request(CLIENT) })).toContain('failed to parse CSR');
  });

  it.each<[subresource: string, right: readonly [string, string] | undefined, message: string]>([
    ['approval', undefined, `${FORBIDDEN}user not permitted to approve requests with signerName "${CLIENT}"`],
    [
      'approval',
      ['approve', 'kubernetes.io/other'],
      `${FORBIDDEN}user not permitted to approve requests with signerName "${CLIENT}"`,
    ],
    ['approval', ['sign', CLIENT], `${FORBIDDEN}user not permitted to approve requests with signerName "${CLIENT}"`],
    ['approval', ['approve', CLIENT], ''],
    ['approval', ['approve', 'kubernetes.io/*'], ''],
    ['status', undefined, `${FORBIDDEN}user not permitted to sign requests with signerName "${CLIENT}"`],
    ['status', ['approve', CLIENT], `${FORBIDDEN}user not permitted to sign requests with signerName "${CLIENT}"`],
    ['status', ['sign', CLIENT], ''],
    ['status', ['sign', 'kubernetes.io/*'], ''],
  ])('are decided through /%s with the right %j', async (subresource, right, message) => {
    const changed = { subresource, oldObject: request(CLIENT), object: request('example.com/mine', approved) };
    expect(await refused(changed, right)).toBe(message);
  });

  it('take no right to sign where neither certificate nor conditions change', async () => {
    expect(
      await refused({ subresource: 'status', oldObject: request(CLIENT, approved), object: request(CLIENT, approved) }),
    ).toBe('');
    expect(
      await refused({
        subresource: 'status',
        oldObject: request(CLIENT, approved),
        object: request(CLIENT, { ...approved, certificate: 'eA==' }),
      }),
    ).not.toBe('');
  });
});
