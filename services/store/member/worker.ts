/** Entry of the member's thread: started by start.ts with everything it needs in workerData. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { present } from '../../../platform/assert.js';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import { RaftError } from '../../../raft/contract.js';
import { ReplaceableTls } from '../../../raft/index.js';
import type { PeerCertificates } from '../../../raft/index.js';
import { StoreError } from '../store.js';
import { assembleMember } from './assemble.js';
import { MemberHost } from './host.js';
import type { StoreMemberData } from './options.js';

export interface WorkerInput {
  readonly data: StoreMemberData;
  readonly port: MessagePort;
}

/** To the thread: certificates to use from now on. From it: how the start went. */
export type WorkerNotice =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly raft: boolean; readonly code: string; readonly message: string };

/** Nice value of this thread: heartbeats go before requests, also where those use up every processor. */
const NICE = -10;

/**
 * Of this thread alone: Linux takes 0 for the calling thread, other systems for the process. Without the right to do so
 * nothing changes.
 */
function hurry(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, NICE);
  } catch {
    // Not root, nor CAP_SYS_NICE.
  }
}

hurry();
const { data, port } = workerData as WorkerInput;
const parent = present(parentPort, 'this file runs as a worker thread');
const tls = new ReplaceableTls(data.certificates);
parent.on('message', (renewed: PeerCertificates) => tls.replace(renewed));

const host = new MemberHost(port, systemClock, {
  onClosed: () => {
    port.close();
    parent.close();
  },
});

try {
  const core = await assembleMember(data, tls, {
    clock: systemClock,
    random: systemRandom,
    onHead: (head) => host.sendHead(head),
    onFatal: (error) => host.sendFatal(error),
  });
  host.serve(core);
  parent.postMessage({ kind: 'ready' } satisfies WorkerNotice);
} catch (error) {
  const code = error instanceof StoreError || error instanceof RaftError ? error.code : 'invalid';
  const message = error instanceof Error ? error.message : String(error);
  parent.postMessage({ kind: 'failed', raft: error instanceof RaftError, code, message } satisfies WorkerNotice);
  port.close();
  parent.close();
}
