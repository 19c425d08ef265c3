import { Metadata } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import type { RaftStatus } from '../../../raft/contract.js';
import { LeaderMonitor } from './leader-monitor.js';

class FakeStream {
  readonly metadata = new Metadata();
  ended = '';
  #onClose = () => {};

  constructor(requires: boolean) {
    if (requires) this.metadata.set('hasleader', 'true');
  }

  emit(_event: 'error', error: Error): void {
    this.ended = error.message;
    this.#onClose();
  }

  once(_event: 'close', listener: () => void): void {
    this.#onClose = listener;
  }
}

it('ends the streams that want a leader once there has been none for a while, and no others', async () => {
  const clock = new VirtualClock();
  let leader: number | undefined = 1;
  const monitor = new LeaderMonitor({ raftStatus: () => ({ leader }) as unknown as RaftStatus }, clock);
  const [wanting, indifferent] = [new FakeStream(true), new FakeStream(false)];
  for (const stream of [wanting, indifferent]) monitor.follow(stream);
  await clock.advance(10_000);
  leader = undefined;
  await clock.advance(2000);
  leader = 2;
  await clock.advance(2000);
  leader = undefined;
  await clock.advance(2000);
  expect(wanting.ended).toBe('');
  await clock.advance(2000);
  expect([wanting.ended, indifferent.ended]).toEqual(['etcdserver: no leader', '']);
});
