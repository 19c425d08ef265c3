/**
 * The client's side of exec, attach and port-forward.
 *
 * In: an upgrade that the REST front has authenticated, authorized, admitted and resolved to a pod. Out: frames on the
 * client's socket; streams asked of the pod's node. `command.ts` and `forward.ts` join a client's channels to a pod's
 * stream, once for all carriers; `websocket/` and `spdy/` are the carriers: each makes channels of a socket's bytes.
 * `inbox.ts` bounds what waits to be read. It must never know nodes or runtimes, answer `101` before the far end has
 * been reached (CVE-2018-1002105), hold more than a bounded number of bytes for either side, or let a client's bytes
 * end anything but that client's connection.
 */
import { apiErrors } from '../../../apimachinery/status.js';
import { systemClock, type Clock } from '../../../platform/clock.js';
import type { StreamingFront, UpgradeRequest } from '../ports.js';
import { refuse } from '../rest/raw-answer.js';
import { serveSpdyCommand } from './spdy/command.js';
import { serveSpdyForward } from './spdy/forward.js';
import { isSpdy } from './spdy/upgrade.js';
import { serveCommand } from './websocket/command.js';
import { serveForward } from './websocket/forward.js';
import { isWebSocket } from './websocket/upgrade.js';

export function createStreamingFront(options: { readonly clock?: Clock } = {}): StreamingFront {
  const clock = options.clock ?? systemClock;
  return {
    async serve(upgrade: UpgradeRequest): Promise<void> {
      upgrade.socket.on('error', () => upgrade.socket.destroy());
      const forward = upgrade.kind === 'port-forward';
      if (isWebSocket(upgrade)) await (forward ? serveForward : serveCommand)(upgrade, clock);
      else if (isSpdy(upgrade)) await (forward ? serveSpdyForward : serveSpdyCommand)(upgrade, clock);
      else
        refuse(
          upgrade.socket,
          apiErrors.badRequest(
            `unable to upgrade: the protocol ${upgrade.request.headers.upgrade ?? '(none)'} is not supported; use WebSocket or SPDY/3.1`,
          ),
        );
    },
  };
}
