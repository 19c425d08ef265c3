/** Peers from the Node objects of this process's cache. */
import { nodes } from '../../apimachinery/gen/resources.js';
import type { Node } from '../../apimachinery/gen/types.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { peerOf } from './peers.js';
import type { Peer, PeerListener, PeerSource } from './peers.js';

const samePeer = (a: Peer | undefined, b: Peer | undefined): boolean =>
  a === b || (a?.name === b?.name && a?.address === b?.address && a?.podCIDR === b?.podCIDR);

export function nodePeerSource(informers: InformerFactory): PeerSource {
  const informer = informers.informer(nodes);
  return {
    async run(listener: PeerListener, signal: AbortSignal): Promise<void> {
      const tell = (node: Node, old?: Node) => {
        const peer = peerOf(node);
        const before = old === undefined ? undefined : peerOf(old);
        // Nodes are written every few seconds by their heartbeats: only what concerns the overlay goes on.
        if (samePeer(peer, before)) return;
        if (peer !== undefined) listener.upsert(peer);
        else listener.remove(node.metadata?.name ?? '');
      };
      const detach = informer.addHandler({
        add: (node) => tell(node),
        update: tell,
        delete: (node) => listener.remove(node.metadata?.name ?? ''),
      });
      try {
        await informer.whenSynced(signal);
        listener.synced();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        detach();
      }
    },
  };
}
