/**
 * Join tokens: what a new host must show, and how it knows whom it shows it to. `<pin>.<kind>.<secret>`: the pin is
 * SHA-256 over the public key of the cluster's authority, so that a token alone suffices to trust the right cluster. A
 * worker's secret is a bootstrap token.
 */
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { authorityPin } from './x509.js';
import { UserError } from '../user-error.js';

type JoinKind = 'worker' | 'member';

export interface JoinToken {
  readonly pin: string;
  readonly kind: JoinKind;
  readonly secret: string;
}

export function formatJoinToken(token: JoinToken): string {
  return `${token.pin}.${token.kind}.${token.secret}`;
}

/** Throws UserError. */
export function parseJoinToken(text: string): JoinToken {
  const match = /^([0-9a-f]{64})\.(?:(worker)\.([a-z0-9]{6}\.[a-z0-9]{16})|(member)\.([0-9a-f]{16,128}))$/.exec(
    text.trim(),
  );
  if (match === null) {
    throw new UserError(
      'this is not a join token; make one for a worker with `navarch token create`, or print the one for members with `navarch token --member`, on a member',
      2,
    );
  }
  const [, pin = '', worker, workerSecret = '', , memberSecret = ''] = match;
  return worker === undefined
    ? { pin, kind: 'member', secret: memberSecret }
    : { pin, kind: 'worker', secret: workerSecret };
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Asks the far end for its chain, and takes the authority in it only if it is the one that the token pins. */
export async function fetchAuthority(endpoint: string, token: JoinToken): Promise<string> {
  const { host, port } = splitEndpoint(endpoint);
  const chain = await new Promise<string[]>((resolve, reject) => {
    // Nothing is sent before the pin has been checked; the certificate itself is verified by it, not by a list of
    // authorities.
    const socket = connect({
      host,
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      timeout: CONNECT_TIMEOUT_MS,
    });
    socket.once('secureConnect', () => {
      resolve(pemChain(socket.getPeerCertificate(true)));
      socket.destroy();
    });
    socket.once('timeout', () => socket.destroy(new Error('it did not answer in time')));
    socket.once('error', reject);
  }).catch((error: unknown) => {
    throw new UserError(`no member answers at ${endpoint}: ${(error as Error).message}`);
  });
  for (const pem of chain) if (new X509Certificate(pem).ca && (await authorityPin(pem)) === token.pin) return pem;
  throw new UserError(`the cluster at ${endpoint} is not the one this token is for: its authority has another key`);
}

function pemChain(leaf: DetailedPeerCertificate): string[] {
  const seen = new Set<string>();
  const chain: string[] = [];
  for (
    let at: DetailedPeerCertificate | undefined = leaf;
    at?.raw !== undefined && !seen.has(at.fingerprint256);
    at = at.issuerCertificate
  ) {
    seen.add(at.fingerprint256);
    chain.push(new X509Certificate(at.raw).toString());
  }
  return chain;
}

export function splitEndpoint(endpoint: string, defaultPort = 2379): { host: string; port: number } {
  const match = /^(?:https:\/\/)?(\[[0-9a-fA-F:]+\]|[^:/\s]+)(?::(\d{1,5}))?\/?$/.exec(endpoint);
  const port = Number(match?.[2] ?? defaultPort);
  if (match === null || port < 1 || port > 65_535)
    throw new UserError(`"${endpoint}" is no endpoint; write host:port`, 2);
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}
