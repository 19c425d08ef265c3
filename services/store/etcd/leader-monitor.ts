/**
 * Ends the streams of clients that asked for a leader (`hasleader`, as clientv3.WithRequireLeader sends it) when this
 * member has had none for a while: cut off from the others, it would keep a watch open and say nothing.
 */
import { status } from '@grpc/grpc-js';
import type { Metadata } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../../platform/clock.js';
import { EtcdError, failStream } from './errors.js';
import type { EtcdMember } from './context.js';

const LOOK_MS = 1000;
/** As in etcd: a leader that is lost for three election timeouts is lost. */
const MISSES_MAX = 3;

interface Stream {
  readonly metadata: Metadata;
  emit(event: 'error', error: Error): unknown;
  once(event: 'close', listener: () => void): unknown;
}

export class LeaderMonitor {
  readonly #member: Pick<EtcdMember, 'raftStatus'> | undefined;
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();
  #timer: Timer | undefined;
  #misses = 0;

  /** Without a member there is always a leader. */
  constructor(member: Pick<EtcdMember, 'raftStatus'> | undefined, clock: Clock) {
    this.#member = member;
    this.#clock = clock;
  }

  /** Watches over the stream if its client asked for it. */
  follow(stream: Stream): void {
    if (this.#member === undefined || stream.metadata.get('hasleader')[0] !== 'true') return;
    this.#streams.add(stream);
    stream.once('close', () => this.#leave(stream));
    this.#timer ??= this.#clock.every(LOOK_MS, () => void this.#look());
  }

  #leave(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#misses = 0;
  }

  async #look(): Promise<void> {
    const leader = await Promise.resolve(this.#member?.raftStatus()).then(
      (raft) => raft?.leader,
      () => undefined,
    );
    this.#misses = leader === undefined ? this.#misses + 1 : 0;
    if (this.#misses < MISSES_MAX) return;
    for (const stream of this.#streams) failStream(stream, new EtcdError(status.UNAVAILABLE, 'etcdserver: no leader'));
  }
}
