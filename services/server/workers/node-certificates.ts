/**
 * Certificates of workers: the name is what the join token or the old certificate proved, never what the request says.
 */
import { X509Certificate } from 'node:crypto';
import { signSigningRequest, type PkiContext } from '../../../platform/pki/x509.js';
import type { ClusterPki } from '../../../platform/pki/cluster-pki.js';
import type { NodeCertificates } from '../../nodelink/ports.js';

/** Short, since it renews itself: a worker that was taken out is locked out within days. */
const LIFETIME_MS = 30 * 24 * 3_600_000;

export function signNodeRequest(
  pki: ClusterPki,
  { csr, nodeName }: { readonly csr: string; readonly nodeName: string },
  context: PkiContext,
): Promise<string> {
  return signSigningRequest(
    pki.clusterAuthority,
    csr,
    {
      subject: { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] },
      usages: ['client'],
      lifetime_ms: LIFETIME_MS,
    },
    context,
  );
}

/** `servingCertificate`: PEM of the member's own, whose names no worker may have. */
export function nodeCertificates(
  pki: ClusterPki,
  servingCertificate: () => string,
  context: PkiContext,
): NodeCertificates {
  return {
    async signNodeCertificate(csr, nodeName) {
      return {
        certificate: await signNodeRequest(pki, { csr, nodeName }, context),
        ca: pki.clusterAuthority.certificate,
      };
    },
    async signServingCertificate(csr, nodeName, names) {
      // A subject that is nobody's: should some listener forget to ask for the client usage, it names no user.
      const certificate = await signSigningRequest(
        pki.clusterAuthority,
        csr,
        {
          subject: { commonName: `node serving ${nodeName}`.slice(0, 64) },
          usages: ['server'],
          names,
          lifetime_ms: LIFETIME_MS,
        },
        context,
      );
      return { certificate, ca: pki.clusterAuthority.certificate };
    },
    reservedNames: () => namesOf(servingCertificate()),
  };
}

function namesOf(certificate: string): string[] {
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  return names.split(', ').map((entry) => entry.replace(/^(DNS|IP Address):/, '').replaceAll('"', ''));
}
