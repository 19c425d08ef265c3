/** Which node calls: the name in the client certificate that TLS has verified (CN=system:node:NAME, O=system:nodes). */
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js';

export interface IdentifiedCall {
  getAuthContext(): AuthContext;
}

const PREFIX = 'system:node:';
const GROUP = 'system:nodes';

/** Undefined when the caller has no certificate, or one that is not a node's. */
export function nodeOfCertificate(call: IdentifiedCall): string | undefined {
  const subject: { CN?: string | string[]; O?: string | string[] } | undefined =
    call.getAuthContext().sslPeerCertificate?.subject;
  const groups = [subject?.O ?? []].flat();
  const [name = '', ...more] = [subject?.CN ?? []].flat();
  if (more.length > 0 || !groups.includes(GROUP) || !name.startsWith(PREFIX)) return undefined;
  return name.slice(PREFIX.length) || undefined;
}
