/**
 * Whoever approves or signs a request for a certificate needs the right for its signer, and nobody asks for a client
 * certificate of the administrators (plugin/pkg/admission/certificates: approval, signing, subjectrestriction).
 */
import { isDeepStrictEqual } from 'node:util';
import { certificateSigningRequests } from '../../../apimachinery/gen/resources.js';
import type { CertificateSigningRequest } from '../../../apimachinery/gen/types.js';
import { firstRequestBlock } from '../../../apimachinery/kinds/policy/certificates.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { requestOrganizations } from '../../../platform/pki/x509.js';
import type { AdmissionAttributes, Authorizer } from '../ports.js';
import { isResource, type AdmissionPlugin } from './plugin.js';

const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
const ADMINISTRATORS = 'system:masters';

export function certificateRights(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateRights',
    async validate(attributes) {
      if (!isResource(attributes.kind, certificateSigningRequests.group, certificateSigningRequests.resource)) return;
      const { operation, subresource } = attributes;
      if (subresource === undefined && operation === 'CREATE') await checkSubject(attributes);
      if (subresource === 'approval' && operation === 'UPDATE') await checkRight(authorizer, attributes, 'approve');
      if (subresource === 'status' && operation === 'UPDATE' && signs(attributes))
        await checkRight(authorizer, attributes, 'sign');
    },
  };
}

async function checkSubject(attributes: AdmissionAttributes): Promise<void> {
  const { spec } = attributes.object as CertificateSigningRequest;
  if (spec.signerName !== CLIENT_SIGNER) return;
  const refuse = (why: string) => apiErrors.forbidden(attributes.kind, attributes.name, why);
  let organizations: readonly string[];
  try {
    const der = firstRequestBlock(spec.request ?? '');
    if (der === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST');
    organizations = await requestOrganizations(der);
  } catch (error) {
    throw refuse(`failed to parse CSR: ${(error as Error).message}`);
  }
  if (organizations.includes(ADMINISTRATORS))
    throw refuse(`use of ${CLIENT_SIGNER} signer with ${ADMINISTRATORS} group is not allowed`);
}

function signs({ object, oldObject }: AdmissionAttributes): boolean {
  const [status, before] = [object, oldObject].map(
    (request) => (request as CertificateSigningRequest | undefined)?.status,
  );
  return !isDeepStrictEqual(
    [status?.certificate, status?.conditions ?? []],
    [before?.certificate, before?.conditions ?? []],
  );
}

/** For the signer that the request has, not for one that the body names; `<domain>/*` stands for all of a domain. */
async function checkRight(
  authorizer: Authorizer,
  attributes: AdmissionAttributes,
  verb: 'approve' | 'sign',
): Promise<void> {
  const signer = (attributes.oldObject as CertificateSigningRequest | undefined)?.spec.signerName ?? '';
  for (const name of [signer, `${signer.split('/')[0] ?? ''}/*`]) {
    const { allowed } = await authorizer.authorize({
      kind: 'resource',
      user: attributes.user,
      verb,
      group: certificateSigningRequests.group,
      version: '*',
      resource: 'signers',
      name,
    });
    if (allowed) return;
  }
  throw apiErrors.forbidden(
    attributes.kind,
    attributes.name,
    `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`,
  );
}
