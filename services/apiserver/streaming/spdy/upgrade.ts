/** From an HTTP upgrade to SPDY/3.1: which protocol is spoken over its streams, and the `101`. */
import { apiErrors } from '../../../../apimachinery/status.js';
import type { UpgradeRequest } from '../../ports.js';

export function isSpdy(upgrade: UpgradeRequest): boolean {
  return upgrade.request.headers.upgrade?.toLowerCase() === 'spdy/3.1';
}

/** The client's first choice that is known, as Kubernetes' own servers choose; `unsaid` when it offers none. */
export function negotiate(upgrade: UpgradeRequest, known: readonly string[], unsaid: string): string {
  const offered = [upgrade.request.headers['x-stream-protocol-version'] ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (offered.length === 0) return unsaid;
  const chosen = offered.find((name) => known.includes(name));
  if (chosen === undefined)
    throw apiErrors.badRequest(
      `unable to upgrade: none of the offered protocols is supported: ${offered.join(', ')}; supported: ${known.join(', ')}`,
    );
  return chosen;
}

/** Only once the far end is known to be there (CVE-2018-1002105). */
export function switchToSpdy({ socket, head }: UpgradeRequest, protocol: string): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
}
