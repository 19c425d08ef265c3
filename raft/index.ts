/**
 * `navarch/raft`: consensus as a library. Start a member with a state machine of yours, propose commands from any
 * member, read linearizably; see contract.ts for the promises. Nothing here knows what the commands mean.
 */
import { join } from 'node:path';
import type { Clock } from '../platform/clock.js';
import type { Logger } from '../platform/log.js';
import type { Random } from '../platform/random.js';
import type { NodeId, PeerInfo, RaftEvents, RaftMember, StateMachine } from './contract.js';
import { Member } from './driver/member.js';
import { openInstance } from './driver/instance.js';
import { DEFAULT_SETTINGS } from './driver/options.js';
import type { MemberSettings } from './driver/options.js';
import { openDurableLog } from './log/durable-log.js';
import type { MemoryLog } from './log/memory-log.js';
import type { PeerTls } from './transport/credentials.js';
import { GrpcTransport } from './transport/grpc-transport.js';
import type { MemoryNetwork } from './transport/memory-transport.js';
import { PromiseBook } from './transport/promise-book.js';

export * from './contract.js';
export { Member } from './driver/member.js';
export { DEFAULT_SETTINGS } from './driver/options.js';
export type { MemberSettings } from './driver/options.js';
export { ReplaceableTls } from './transport/credentials.js';
export type { PeerCertificates, PeerTls } from './transport/credentials.js';
export { MemoryNetwork } from './transport/memory-transport.js';
export { MemoryLog } from './log/memory-log.js';

interface CommonOptions {
  /** Checked on every peer connection and at every start. */
  readonly clusterId: string;
  readonly id: NodeId;
  readonly name: string;
  /** The cluster's first members, the same list on each of them. Ignored once there is state. */
  readonly peers: readonly PeerInfo[];
  /**
   * The cluster exists: `peers` only tells where; this member waits until it is added (as a learner) and sent a
   * snapshot.
   */
  readonly join?: boolean;
  readonly stateMachine: StateMachine;
  /** Up to which level the state machine understands commands; see driver/levels.ts. Undefined: there are no levels. */
  readonly level?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events?: RaftEvents;
  readonly settings?: Partial<MemberSettings>;
}

export interface RaftMemberOptions extends CommonOptions {
  /** Holds the log and the identity, mode 0700. One member's alone. */
  readonly dataDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: PeerTls;
}

export interface MemoryMemberOptions extends CommonOptions {
  readonly network: MemoryNetwork;
  /** Kept by the caller, so that a member can be started again on it. */
  readonly log: MemoryLog;
}

/**
 * Opens the log, listens for peers and takes part. Rejects with RaftError: `wrong-cluster` (the directory is another
 * member's), `invalid` (directory in use, port taken), `corrupt` (the disk lost something; the message says what to
 * do).
 */
export async function startRaftMember(options: RaftMemberOptions): Promise<RaftMember> {
  const { clusterId, id, clock, listen, tls } = options;
  const directory = join(options.dataDir, 'raft');
  const log = await openDurableLog({ directory, clusterId, nodeId: id, clock });
  try {
    const logger = options.logger.child({ raft: options.name });
    const instance = openInstance(directory, options.random);
    const position = () => ({ term: log.view.hardState.term, index: log.view.lastIndex });
    const transport = new GrpcTransport({
      clusterId,
      self: id,
      listen,
      tls,
      instance,
      position,
      book: new PromiseBook(directory),
      clock,
      logger,
    });
    try {
      return await Member.start({ ...common(options, logger), log, transport, instance });
    } catch (error) {
      await transport.stop();
      throw error;
    }
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** The same member without disk and sockets: for clusters in one process. */
export function startMemoryMember(options: MemoryMemberOptions): Promise<RaftMember> {
  const logger = options.logger.child({ raft: options.name });
  return Member.start({
    ...common(options, logger),
    log: options.log,
    transport: options.network.transport(options.id),
  });
}

function common(options: CommonOptions, logger: Logger) {
  const { clusterId, id, peers, stateMachine, clock, random, level } = options;
  return {
    clusterId,
    id,
    peers,
    join: options.join ?? false,
    stateMachine,
    clock,
    random,
    logger,
    events: options.events ?? {},
    ...(level === undefined ? {} : { level }),
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
  };
}
