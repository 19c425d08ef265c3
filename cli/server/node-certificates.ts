/** Certificates of workers: the name is what the join token or the old certificate proved, never what the request says. */
import { signSigningRequest, type PkiContext } from '../../platform/pki/x509.js';
import type { ClusterPki } from '../../platform/pki/cluster-pki.js';
import type { NodeCertificates } from '../../services/nodelink/nodelink.js';

/** Short, since it renews itself: a worker that was taken out is locked out within days. */
const LIFETIME_MS = 30 * 24 * 3_600_000;

export function nodeCertificates(pki: ClusterPki, context: PkiContext): NodeCertificates {
  return {
    async signNodeCertificate(csr, nodeName) {
      const certificate = await signSigningRequest(pki.clusterAuthority, csr, {
        subject: { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] },
        usages: ['client'], lifetime_ms: LIFETIME_MS,
      }, context);
      return { certificate, ca: pki.clusterAuthority.certificate };
    },
  };
}
