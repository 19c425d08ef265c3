/**
 * Certificates: authorities, certificates and signing requests, as PEM. ECDSA P-256 throughout. `notBefore` lies an
 * hour back, so that hosts whose clocks differ a little trust each other at once. The library behind it is loaded on
 * first use.
 */
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject, type webcrypto } from 'node:crypto';
import type * as X509 from '@peculiar/x509';
import type { Clock } from '../clock.js';
import type { Random } from '../random.js';

type CryptoKey = webcrypto.CryptoKey;
type CryptoKeyPair = webcrypto.CryptoKeyPair;

export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface Subject {
  readonly commonName: string;
  /** Kubernetes reads organizations as groups. */
  readonly organizations?: readonly string[];
}

export type Usage = 'server' | 'client';

export interface CertificateRequest {
  readonly subject: Subject;
  readonly usages: readonly Usage[];
  /** DNS names and IP addresses; told apart by their form. */
  readonly names?: readonly string[];
  readonly lifetime_ms: number;
}

export interface PkiContext {
  readonly clock: Clock;
  readonly random: Random;
}

const BACKDATE_MS = 3_600_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

let library: Promise<typeof X509> | undefined;

function load(): Promise<typeof X509> {
  library ??= import('reflect-metadata').then(() => import('@peculiar/x509'));
  return library;
}

/** RFC 4514 with the characters escaped that separate attributes. */
function nameOf(subject: Subject): string {
  const escape = (value: string) => value.replace(/[\\,+"<>;=#]/g, (c) => `\\${c}`);
  return [`CN=${escape(subject.commonName)}`, ...(subject.organizations ?? []).map((o) => `O=${escape(o)}`)].join(',');
}

const isIp = (name: string) => /^[0-9.]+$/.test(name) || name.includes(':');

async function newKeys(): Promise<{ keys: CryptoKeyPair; privateKey: string }> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    keys,
    privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({
      format: 'pem',
      type: 'pkcs8',
    }) as string,
  };
}

async function keysOf(privateKey: string): Promise<{ keys: CryptoKeyPair; privateKey: string }> {
  const spki = createPublicKey(createPrivateKey(privateKey)).export({ format: 'der', type: 'spki' });
  return {
    keys: {
      privateKey: await importPrivateKey(privateKey),
      publicKey: await crypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']),
    },
    privateKey,
  };
}

async function importPrivateKey(pem: string): Promise<CryptoKey> {
  const der = createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' });
  return crypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

function serial(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}

/** A self-signed authority that may sign leaves and nothing else. */
export async function createAuthority(commonName: string, lifetime_ms: number, context: PkiContext): Promise<KeyPair> {
  const x509 = await load();
  const { keys, privateKey } = await newKeys();
  const now_ms = context.clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(context.random),
    name: nameOf({ commonName }),
    notBefore: new Date(now_ms - BACKDATE_MS),
    notAfter: new Date(now_ms + lifetime_ms),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem') + '\n', privateKey };
}

async function sign(
  authority: KeyPair,
  publicKey: CryptoKey,
  request: CertificateRequest,
  context: PkiContext,
): Promise<string> {
  const x509 = await load();
  const issuer = new x509.X509Certificate(authority.certificate);
  const now_ms = context.clock.now();
  const usages = request.usages.map((usage) =>
    usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
  );
  const names = (request.names ?? []).map((name) => ({
    type: isIp(name) ? ('ip' as const) : ('dns' as const),
    value: name,
  }));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(context.random),
    subject: nameOf(request.subject),
    issuer: issuer.subject,
    notBefore: new Date(Math.max(now_ms - BACKDATE_MS, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(now_ms + request.lifetime_ms, issuer.notAfter.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey: await importPrivateKey(authority.privateKey),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  return certificate.toString('pem') + '\n';
}

/** A fresh key and a certificate for it. */
export async function issueCertificate(
  authority: KeyPair,
  request: CertificateRequest,
  context: PkiContext,
): Promise<KeyPair> {
  const { keys, privateKey } = await newKeys();
  return { certificate: await sign(authority, keys.publicKey, request, context), privateKey };
}

export interface SigningRequest {
  /** PEM, PKCS #10. */
  readonly request: string;
  readonly privateKey: string;
}

/** A request for a certificate over a key that stays here: a new one, unless `options` has one. */
export async function createSigningRequest(
  subject: Subject,
  options: { readonly names?: readonly string[]; readonly privateKey?: string } = {},
): Promise<SigningRequest> {
  const x509 = await load();
  const { names = [] } = options;
  const { keys, privateKey } = options.privateKey === undefined ? await newKeys() : await keysOf(options.privateKey);
  const alternative = names.map((name) => ({ type: isIp(name) ? ('ip' as const) : ('dns' as const), value: name }));
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: nameOf(subject),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: alternative.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternative)],
  });
  return { request: request.toString('pem') + '\n', privateKey };
}

export class SigningRequestError extends Error {
  override readonly name = 'SigningRequestError';
}

const SIGNING_REQUEST_LENGTH_MAX = 16_384;

/**
 * Signs the key of a request. Subject, names and usages are the signer's choice: nothing but the key is taken from the
 * request, whose own signature is verified. Throws SigningRequestError.
 */
export async function signSigningRequest(
  authority: KeyPair,
  requestPem: string,
  decided: CertificateRequest,
  context: PkiContext,
): Promise<string> {
  const x509 = await load();
  if (requestPem.length > SIGNING_REQUEST_LENGTH_MAX)
    throw new SigningRequestError('the certificate signing request is too large');
  let publicKey: CryptoKey;
  try {
    const request = new x509.Pkcs10CertificateRequest(requestPem);
    if (!(await request.verify())) throw new Error('its signature does not match its key');
    publicKey = await request.publicKey.export(ALGORITHM, ['verify']);
  } catch (error) {
    throw new SigningRequestError(`the certificate signing request is not valid: ${(error as Error).message}`);
  }
  return sign(authority, publicKey, decided, context);
}

/**
 * Hex SHA-256 over the public key that a request is for; whether the request proves that key is the signer's to verify.
 * Throws SigningRequestError.
 */
export async function requestKeyDigest(requestPem: string): Promise<string> {
  const x509 = await load();
  if (requestPem.length > SIGNING_REQUEST_LENGTH_MAX)
    throw new SigningRequestError('the certificate signing request is too large');
  try {
    const { publicKey } = new x509.Pkcs10CertificateRequest(requestPem);
    return Buffer.from(await crypto.subtle.digest('SHA-256', publicKey.rawData)).toString('hex');
  } catch (error) {
    throw new SigningRequestError(`the certificate signing request is not valid: ${(error as Error).message}`);
  }
}

/** The organizations (O=) that a request in DER asks for. Throws for one that cannot be read. */
export async function requestOrganizations(der: Uint8Array): Promise<readonly string[]> {
  const x509 = await load();
  return new x509.Pkcs10CertificateRequest(Uint8Array.from(der)).subjectName.getField('O');
}

export interface CertificateIdentity {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** OpenSSL writes separators as `\\,` and other bytes as `\\0A` (RFC 2253). */
function unescapeAttribute(value: string): string {
  return value.replace(/\\([0-9A-Fa-f]{2}|.)/g, (_, code: string) =>
    code.length === 2 ? String.fromCharCode(Number.parseInt(code, 16)) : code,
  );
}

/** Subject attributes of a PEM certificate, as authentication reads them. */
export function certificateIdentity(certificate: X509Certificate): CertificateIdentity {
  const attributes = certificate.subject.split('\n').map((line) => {
    const at = line.indexOf('=');
    return [line.slice(0, at), unescapeAttribute(line.slice(at + 1))] as const;
  });
  return {
    commonName: attributes.find(([name]) => name === 'CN')?.[1] ?? '',
    organizations: attributes.filter(([name]) => name === 'O').map(([, value]) => value),
  };
}

/** Milliseconds since the epoch at which the certificate begins and ends to be valid. */
export function certificateValidity(pem: string): { readonly notBefore_ms: number; readonly notAfter_ms: number } {
  const certificate = new X509Certificate(pem);
  return { notBefore_ms: Date.parse(certificate.validFrom), notAfter_ms: Date.parse(certificate.validTo) };
}

/** True from two thirds of the certificate's life on. */
export function dueForRotation(pem: string, now_ms: number): boolean {
  const { notBefore_ms, notAfter_ms } = certificateValidity(pem);
  return now_ms >= notBefore_ms + ((notAfter_ms - notBefore_ms) * 2) / 3;
}

/** SHA-256 over the authority's public key: what a join token pins, so that a joining host knows whom it talks to. */
export async function authorityPin(certificate: string): Promise<string> {
  const der = (createPublicKey(certificate) as KeyObject).export({ format: 'der', type: 'spki' });
  return Buffer.from(await crypto.subtle.digest('SHA-256', der)).toString('hex');
}
