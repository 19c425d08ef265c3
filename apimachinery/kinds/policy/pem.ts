/** Certificates as text (RFC 7468), as a signer issues them. */
import { X509Certificate } from 'node:crypto';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([^-]*)-----END \1-----/g;

function isCertificate(body: string): boolean {
  try {
    return new X509Certificate(Buffer.from(body, 'base64')).raw.length > 0;
  } catch {
    return false;
  }
}

/** What is wrong with issued certificates, in kube-apiserver's words; undefined for nothing. */
export function certificateFault(text: string): string | undefined {
  if (text === '') return undefined;
  const blocks = [...text.matchAll(BLOCK)];
  for (const [, type = '', body = ''] of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body.includes(':')) return 'no PEM block headers are permitted';
    if (!isCertificate(body)) return 'x509: malformed certificate';
  }
  return blocks.length === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}
