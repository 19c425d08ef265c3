/**
 * `startStoreMember`: a member of the replicated store. It runs on a thread of its own, so that nothing that is done to
 * serve clients can delay a heartbeat; or, in a test's cluster, in this thread, behind the same interface.
 */
import { existsSync } from 'node:fs';
import { MessageChannel, Worker } from 'node:worker_threads';
import { RaftError } from '../../../raft/contract.js';
import type {
  Membership,
  MembershipChange,
  NodeId,
  PeerInfo,
  RaftErrorCode,
  RaftStatus,
} from '../../../raft/contract.js';
import { ReplaceableTls } from '../../../raft/index.js';
import type { PeerCertificates } from '../../../raft/index.js';
import type { KvBackend } from '../backend/backend.js';
import type { HashResult } from '../mvcc/operations.js';
import { StoreError } from '../store.js';
import type { StoreErrorCode } from '../store.js';
import { assembleInlineMember, assembleMember } from './assemble.js';
import type { MemberCore } from './core.js';
import type { InlineMemberOptions, StoreMemberData, StoreMemberOptions } from './options.js';
import { RemoteStore } from './remote-store.js';
import type { WorkerInput, WorkerNotice } from './worker.js';

export interface StoreMember {
  readonly store: KvBackend;
  raftStatus(): Promise<RaftStatus>;
  members(): Promise<readonly PeerInfo[]>;
  transferLeadership(to: NodeId): Promise<void>;
  changeMembership(change: MembershipChange): Promise<Membership>;
  /** Of this member's state at a revision (0: the newest it has): equal on all members. */
  hash(revision: number): Promise<HashResult>;
  /** Shown to peers on every connection from now on, in both directions. */
  renewCertificates(certificates: PeerCertificates): void;
  /** Hands leadership over, writes everything down, closes. */
  stop(): Promise<void>;
}

/** Rejects with RaftError or StoreError when the member cannot start. */
export async function startStoreMember(options: StoreMemberOptions): Promise<StoreMember> {
  const worker = workerUrl();
  const onThread = options.thread ?? import.meta.url.endsWith('.js');
  if (!onThread) return startHere(options);
  if (worker === undefined)
    throw new StoreError('unsupported', 'a member on a thread needs built code: run `npm run build`');
  return startOnThread(options, worker);
}

/** A member of a cluster within this process. */
export async function startInlineMember(options: InlineMemberOptions): Promise<StoreMember> {
  const core = await assembleInlineMember(options);
  return memberOf(
    core,
    () => undefined,
    () => core.close(),
  );
}

async function startHere(options: StoreMemberOptions): Promise<StoreMember> {
  const tls = new ReplaceableTls(options.certificates);
  const core = await assembleMember(options, tls, options);
  return memberOf(
    core,
    (renewed) => tls.replace(renewed),
    () => core.close(),
  );
}

async function startOnThread(options: StoreMemberOptions, url: URL): Promise<StoreMember> {
  const { port1, port2 } = new MessageChannel();
  const input: WorkerInput = { data: dataOf(options), port: port2 };
  const worker = new Worker(url, { workerData: input, transferList: [port2], name: `store ${options.name}` });
  let stopped = false;
  const store = new RemoteStore({
    port: port1,
    clock: options.clock,
    random: options.random,
    onFatal: (error) => options.onFatal?.(error),
  });
  const gone = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
  const onGone = (error: Error) => {
    store.abandon(error);
    if (!stopped) options.onFatal?.(error);
  };
  try {
    await ready(worker);
  } catch (error) {
    port1.close();
    await worker.terminate();
    throw error;
  }
  worker.on('error', onGone);
  worker.on('exit', () => onGone(new Error("the member's thread has ended")));
  return memberOf(
    store,
    (certificates) => worker.postMessage(certificates),
    async () => {
      if (stopped) return gone;
      stopped = true;
      await store.close();
      await gone;
    },
  );
}

function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (notice: WorkerNotice) => {
      worker.off('error', reject);
      if (notice.kind === 'ready') resolve();
      else if (notice.raft) reject(new RaftError(notice.code as RaftErrorCode, notice.message));
      else reject(new StoreError(notice.code as StoreErrorCode, notice.message));
    });
  });
}

/** The compiled entry beside this file, or, from source, in the build output. */
function workerUrl(): URL | undefined {
  const here = import.meta.url;
  if (here.endsWith('.js')) return new URL('./worker.js', here);
  const built = new URL(here.replace('/services/store/member/start.ts', '/dist/services/store/member/worker.js'));
  return existsSync(built) ? built : undefined;
}

/** Only what can be cloned. */
function dataOf(options: StoreMemberOptions): StoreMemberData {
  const { clock: _clock, random: _random, onFatal: _onFatal, thread: _thread, ...data } = options;
  return data;
}

function memberOf(
  store: MemberCore | RemoteStore,
  renewCertificates: (certificates: PeerCertificates) => void,
  stop: () => Promise<void>,
): StoreMember {
  return {
    store,
    raftStatus: async () => store.raftStatus(),
    members: async () => (await store.raftStatus()).membership.peers,
    transferLeadership: async (to) => {
      await store.transferLeadership(to);
    },
    changeMembership: (change) => store.changeMembership(change),
    hash: (revision) => store.hash(revision),
    renewCertificates,
    stop,
  };
}
