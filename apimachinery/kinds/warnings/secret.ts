/** A TLS Secret whose certificate and key are no pair: the words are those of Go's crypto/tls. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { at, str, type Rec } from '../lib/value.js';

interface Pem {
  readonly type: string;
  readonly text: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

const blocksOf = (data: unknown): Pem[] =>
  [...Buffer.from(str(data), 'base64').toString('latin1').matchAll(BLOCK)].map(([text, type = '']) => ({ type, text }));

const isKey = ({ type }: Pem): boolean => type === 'PRIVATE KEY' || type.endsWith(' PRIVATE KEY');

const skipped = (blocks: readonly Pem[]): string => `[${blocks.map(({ type }) => type).join(' ')}]`;

export function tlsWarnings(secret: Rec): string[] {
  if (secret['type'] !== 'kubernetes.io/tls') return [];
  const problem = pairProblem(blocksOf(at(secret, 'data', 'tls.crt')), blocksOf(at(secret, 'data', 'tls.key')));
  return problem === undefined ? [] : [problem];
}

function pairProblem(certificates: readonly Pem[], keys: readonly Pem[]): string | undefined {
  const certificate = certificates.find(({ type }) => type === 'CERTIFICATE');
  if (certificate === undefined) {
    if (certificates.length === 0) return 'tls: failed to find any PEM data in certificate input';
    const [only] = certificates;
    return certificates.length === 1 && only !== undefined && only.type.endsWith('PRIVATE KEY')
      ? 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched'
      : `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: ${skipped(certificates)}`;
  }
  const key = keys.find(isKey);
  if (key === undefined) {
    if (keys.length === 0) return 'tls: failed to find any PEM data in key input';
    return keys.length === 1 && keys[0]?.type === 'CERTIFICATE'
      ? 'tls: found a certificate rather than a key in the PEM for the private key'
      : `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: ${skipped(keys)}`;
  }
  return mismatch(certificate, key);
}

function mismatch(certificate: Pem, key: Pem): string | undefined {
  let holder: X509Certificate;
  try {
    holder = new X509Certificate(certificate.text);
  } catch {
    return 'x509: malformed certificate';
  }
  try {
    const secret = createPrivateKey(key.text);
    if (holder.checkPrivateKey(secret)) return undefined;
    return holder.publicKey.asymmetricKeyType === secret.asymmetricKeyType
      ? 'tls: private key does not match public key'
      : 'tls: private key type does not match public key type';
  } catch {
    return 'tls: failed to parse private key';
  }
}
