/**
 * The client's side of exec, attach and port-forward. In: an upgrade that the front has authenticated, authorized and resolved
 * to a pod. Out: frames on the client's socket. Knows protocols; knows neither nodes nor runtimes.
 */
import { apiErrors } from '../../../apimachinery/status.js';
import type { StreamingFront, UpgradeRequest } from '../ports.js';
import { refuse } from './refusal.js';
import { isWebSocket, serveCommand, serveForwardChannels } from './websocket.js';

export function createStreamingFront(): StreamingFront {
  return {
    async serve(upgrade: UpgradeRequest): Promise<void> {
      upgrade.socket.on('error', () => upgrade.socket.destroy());
      if (isWebSocket(upgrade)) {
        await (upgrade.kind === 'port-forward' ? serveForwardChannels(upgrade) : serveCommand(upgrade));
        return;
      }
      refuse(upgrade.socket, apiErrors.badRequest(`unable to upgrade: the protocol ${upgrade.request.headers.upgrade ?? '(none)'} is not supported; use WebSocket`));
    },
  };
}
