/** For tests of raft/: a peer CA and certificates of it, valid for a day. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import type { PeerCertificates } from '../transport/credentials.js';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 3600 * 1000;

export class TestAuthority {
  readonly #certificate: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #now_ms: number;
  #serial = 1;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair, now_ms: number) {
    this.#certificate = certificate;
    this.#keys = keys;
    this.#now_ms = now_ms;
  }

  static async create(now_ms: number): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=peers',
      keys,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(now_ms - DAY_MS),
      notAfter: new Date(now_ms + DAY_MS),
      extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
    });
    return new TestAuthority(certificate, keys, now_ms);
  }

  async issue(name: string): Promise<PeerCertificates> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: (++this.#serial).toString(16).padStart(2, '0'),
      subject: `CN=${name}`,
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(this.#now_ms - DAY_MS),
      notAfter: new Date(this.#now_ms + DAY_MS),
    });
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return {
      ca: this.#certificate.toString('pem'),
      cert: certificate.toString('pem'),
      key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
    };
  }
}
