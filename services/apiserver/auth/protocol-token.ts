/**
 * Browsers cannot set headers on a WebSocket: their bearer token comes among its protocols
 * (k8s.io/apiserver/pkg/authentication/request/websocket).
 */
import type { AuthenticationRequest } from '../ports.js';

const PREFIX = 'base64url.bearer.authorization.k8s.io.';

/**
 * The token that the protocols of a WebSocket carry. `none`: they carry none. `wrong`: more than one, one that is not
 * base64url of UTF-8, or one without another protocol beside it, which the answer would have to name.
 */
export function protocolToken(
  headers: AuthenticationRequest['headers'],
): { readonly token: string } | 'none' | 'wrong' {
  if (!isWebSocket(headers)) return 'none';
  const offered = [headers['sec-websocket-protocol']]
    .flat()
    .flatMap((value) => (value ?? '').split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const [shown, ...more] = offered.filter(isBearerProtocol);
  if (shown === undefined || (shown === PREFIX && more.length === 0)) return 'none';
  const token = decoded(shown.slice(PREFIX.length));
  return token === undefined || more.length > 0 || offered.length === 1 ? 'wrong' : { token };
}

/** Never named in an answer: it is a secret. */
export const isBearerProtocol = (name: string): boolean => name.startsWith(PREFIX);

const isWebSocket = (headers: AuthenticationRequest['headers']): boolean =>
  [headers['upgrade']].flat().some((value) => value?.toLowerCase() === 'websocket');

function decoded(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url');
  const token = bytes.toString();
  const isCanonical = /^[\w-]+$/.test(text) && bytes.length === Math.floor((text.length * 3) / 4);
  return isCanonical && Buffer.from(token).equals(bytes) ? token : undefined;
}
