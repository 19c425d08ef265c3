import { expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { seededRandom } from '../../platform/random.js';
import type { NodeId, RaftEvents } from '../contract.js';
import type { PeerMessage } from '../transport/transport.js';
import { Questions } from './questions.js';

const LEADER = { lead: 1, term: 7 };
const question = Buffer.from('how long');
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

function start(id: number, onQuestion?: RaftEvents['onQuestion']) {
  const sent: PeerMessage[] = [];
  const clock = new VirtualClock();
  const events: RaftEvents = onQuestion === undefined ? {} : { onQuestion };
  const questions = new Questions({
    id: id as NodeId,
    clock,
    random: seededRandom(id),
    wait_ms: 1000,
    events,
    send: (messages) => sent.push(...messages),
  });
  return { questions, sent, clock };
}

const answering = async (bytes: Uint8Array) => Buffer.from(`${text(bytes)}: 5 s`);

it('are answered by the leader, once for each time they arrive, and heard once', async () => {
  const [asker, leader] = [start(2), start(1, answering)];
  const answer = asker.questions.ask(question, LEADER);
  const [ask] = asker.sent;
  if (ask === undefined) throw new Error('nothing was sent');
  expect(ask).toMatchObject({ type: 'ask', from: 2, to: 1, term: 7 });
  leader.questions.asked(ask);
  leader.questions.asked(ask);
  await leader.clock.advance(0);
  expect(leader.sent.map(({ type, to, context }) => [type, to, context])).toEqual([
    ['ask-resp', 2, ask.context],
    ['ask-resp', 2, ask.context],
  ]);
  for (const message of leader.sent) asker.questions.answered(message);
  expect(text(await answer)).toBe('how long: 5 s');
});

it('of the leader to itself do not travel', async () => {
  const { questions, sent } = start(1, answering);
  expect(text(await questions.ask(question, LEADER))).toBe('how long: 5 s');
  expect(sent).toEqual([]);
});

it('end for a reason, whatever happens to them', async () => {
  const cases: [string, string, (asker: ReturnType<typeof start>, ask: PeerMessage) => unknown][] = [
    [
      'refused',
      'not-leader',
      async ({ questions }, ask) => {
        const refusing = start(1);
        refusing.questions.asked(ask);
        await refusing.clock.advance(0);
        for (const message of refusing.sent) questions.answered(message);
      },
    ],
    ['never left', 'not-leader', ({ questions }, ask) => questions.lost(ask)],
    ['another leads', 'not-leader', ({ questions }) => questions.leaderChanged()],
    ['silence', 'timeout', ({ questions, clock }) => questions.expire(clock.monotonic() + 1000)],
    ['the end', 'stopped', ({ questions }) => questions.stop()],
  ];
  for (const [name, code, happen] of cases) {
    const asker = start(2);
    const outcome = asker.questions.ask(question, LEADER).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    );
    const [ask] = asker.sent;
    if (ask === undefined) throw new Error('nothing was sent');
    await happen(asker, ask);
    expect([name, await outcome]).toEqual([name, code]);
  }
  await expect(start(2).questions.ask(question, { lead: 0, term: 7 })).rejects.toMatchObject({ code: 'not-leader' });
});
