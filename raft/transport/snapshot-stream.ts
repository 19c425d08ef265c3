/** Snapshots travel on a connection of their own, chunk by chunk, at the pace of whoever reads. */
import type { Metadata, ServerReadableStream } from '@grpc/grpc-js';
import { PeerServiceClient } from '../../proto/gen/navarch/raft/v1/peer.js';
import type { SnapshotRequest, SnapshotResponse } from '../../proto/gen/navarch/raft/v1/peer.js';
import { RaftError } from '../contract.js';
import type { NodeId, PeerInfo, SnapshotReader } from '../contract.js';
import { clientCredentials } from './credentials.js';
import type { PeerTls } from './credentials.js';
import { CHANNEL_OPTIONS } from './peer-link.js';
import type { IncomingSnapshot, PeerMessage } from './transport.js';
import { fromWire, peerFromWire, peerToWire, toWire } from './wire.js';

export interface SnapshotTarget {
  readonly address: string;
  readonly tls: PeerTls;
  readonly metadata: Metadata;
  readonly signal: AbortSignal;
}

export interface OutgoingSnapshot {
  readonly message: PeerMessage;
  readonly self: NodeId;
  readonly peers: readonly PeerInfo[];
  readonly reader: SnapshotReader;
}

export async function streamSnapshot(target: SnapshotTarget, snapshot: OutgoingSnapshot): Promise<void> {
  const client = new PeerServiceClient(target.address, clientCredentials(target.tls), CHANNEL_OPTIONS);
  try {
    await new Promise<void>((resolve, reject) => {
      const call = client.snapshot(target.metadata, (error) => (error === null ? resolve() : reject(error)));
      call.on('error', reject);
      target.signal.addEventListener('abort', () => call.cancel(), { once: true });
      const write = (request: SnapshotRequest) =>
        new Promise<void>((written) => {
          if (call.write(request)) written();
          else call.once('drain', written);
        });
      const { removed = [], level = 0 } = snapshot.reader.meta.membership;
      const header = {
        message: toWire(snapshot.message, snapshot.self),
        peers: snapshot.peers.map(peerToWire),
        removed: removed.map((id) => ({ id })),
        level,
      };
      const pump = async () => {
        await write({ part: { $case: 'header', value: header } });
        for await (const chunk of snapshot.reader.chunks()) {
          await write({
            part: { $case: 'chunk', value: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) },
          });
        }
        call.end();
      };
      pump().catch((error: unknown) => {
        call.cancel();
        reject(error as Error);
      });
    });
  } finally {
    client.close();
  }
}

export async function receiveSnapshot(
  call: ServerReadableStream<SnapshotRequest, SnapshotResponse>,
  from: NodeId,
  self: NodeId,
): Promise<IncomingSnapshot> {
  const parts = (call as AsyncIterable<SnapshotRequest>)[Symbol.asyncIterator]();
  const first = await parts.next();
  const part = first.done === true ? undefined : first.value.part;
  if (part?.$case !== 'header' || part.value.message === undefined)
    throw new RaftError('invalid', 'a snapshot begins with its header');
  return {
    from,
    message: fromWire(part.value.message, from, self),
    peers: part.value.peers.map(peerFromWire),
    removed: part.value.removed.map(({ id }) => id as NodeId),
    level: part.value.level === 0 ? undefined : part.value.level,
    chunks: chunksOf(call, parts),
  };
}

async function* chunksOf(
  call: ServerReadableStream<SnapshotRequest, SnapshotResponse>,
  parts: AsyncIterator<SnapshotRequest>,
): AsyncIterable<Uint8Array> {
  for (;;) {
    const next = await parts.next();
    if (next.done === true) break;
    if (next.value.part?.$case !== 'chunk') throw new RaftError('invalid', 'a snapshot consists of chunks');
    yield next.value.part.value;
  }
  if (call.cancelled) throw new RaftError('invalid', 'the snapshot broke off');
}
