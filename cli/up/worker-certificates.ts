/**
 * The workers of `up` are not strangers that show a token: their certificates are made here, by the authority that lies
 * beside them.
 */
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodes } from '../../apimachinery/gen/resources.js';
import type { Node } from '../../apimachinery/gen/types.js';
import { isApiError } from '../../apimachinery/status.js';
import type { ClusterPki } from '../../platform/pki/cluster-pki.js';
import { readKeyPair, writeFileAtomic, writeKeyPair } from '../../platform/pki/files.js';
import { createSigningRequest, type PkiContext } from '../../platform/pki/x509.js';
import type { Client } from '../../sdk/client.js';
import { keyAnnotation } from '../../services/nodelink/node-keys.js';
import { signNodeRequest } from '../../services/server/workers/node-certificates.js';

/** Leaves what is good as it is. Resolves with the digest of the worker's key if that is a new one. */
export async function issueWorkerCertificate(
  pki: ClusterPki,
  worker: { readonly name: string; readonly pkiDir: string },
  context: PkiContext,
): Promise<string | undefined> {
  const base = join(worker.pkiDir, 'node');
  const authority = new X509Certificate(pki.clusterAuthority.certificate);
  await writeFileAtomic(join(worker.pkiDir, 'cluster-ca.crt'), pki.clusterAuthority.certificate, 0o644);
  const stored = await readKeyPair(base);
  if (stored !== undefined && isGood(stored.certificate, authority, context.clock.now())) return undefined;
  const known = await readFile(`${base}.key`, 'utf8').catch(() => undefined);
  const { request, privateKey } = await createSigningRequest(
    { commonName: 'worker' },
    known === undefined ? {} : { privateKey: known },
  );
  const certificate = await signNodeRequest(pki, { csr: request, nodeName: worker.name }, context);
  await writeKeyPair(base, { certificate, privateKey });
  return known === undefined
    ? createHash('sha256')
        .update(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }))
        .digest('hex')
    : undefined;
}

function isGood(pem: string, authority: X509Certificate, now_ms: number): boolean {
  const certificate = new X509Certificate(pem);
  return certificate.verify(authority.publicKey) && Date.parse(certificate.validTo) > now_ms;
}

/**
 * The worker of a Node has another key than before, its directory having been lost. Whoever runs `up` may give its name
 * away.
 */
export async function recordWorkerKey(client: Client, name: string, key: string): Promise<void> {
  try {
    await client.patch<Node>(
      nodes,
      { name },
      { type: 'merge', body: { metadata: { annotations: keyAnnotation(key) } } },
    );
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}
