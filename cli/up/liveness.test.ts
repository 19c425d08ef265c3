import { expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { LivenessKeeper, SILENT_MS_MAX } from './liveness.js';

function start(names: readonly string[]) {
  const clock = new VirtualClock();
  const killed: string[] = [];
  const alive = new Set(names);
  let waited_ms = 0;
  const members = names.map((name, i) => ({
    url: name,
    process: {
      id: { pid: i + 1, startTime: '0' },
      spec: { name, command: '', args: [], logFile: '' },
      kill: () => void killed.push(name),
    },
  }));
  const keeper = new LivenessKeeper({
    members,
    clock,
    logger: silentLogger,
    waited_ms: () => waited_ms,
    ask: async (url) => {
      const answers = [...alive].some((name) => url.startsWith(name));
      if (!answers) await clock.sleep(5000);
      return answers;
    },
  });
  keeper.start();
  return { clock, killed, alive, starve: (ms: number) => void (waited_ms += ms) };
}

it('a member that has answered and falls silent is started again', async () => {
  const { clock, killed, alive } = start(['a', 'b', 'c']);
  await clock.advance(60_000);
  expect(killed).toEqual([]);
  alive.delete('b');
  await clock.advance(SILENT_MS_MAX - 4000);
  expect(killed).toEqual([]);
  await clock.advance(20_000);
  expect(killed).toEqual(['b']);
});

it('one that starts is waited for, however long it replays its log', async () => {
  const { clock, killed, alive } = start(['a']);
  alive.clear();
  await clock.advance(600_000);
  expect(killed).toEqual([]);
});

it('a machine without processors costs no member its life', async () => {
  const { clock, killed, alive, starve } = start(['a']);
  await clock.advance(10_000);
  alive.clear();
  for (let second = 0; second < 120; second += 1) {
    starve(900);
    await clock.advance(1000);
  }
  expect(killed).toEqual([]);
});

it('one that hangs is started again on a busy machine too, after as long on a processor', async () => {
  const { clock, killed, alive, starve } = start(['a']);
  await clock.advance(10_000);
  alive.clear();
  for (let second = 0; second < 200; second += 1) {
    starve(800);
    await clock.advance(1000);
  }
  expect(killed).toEqual(['a']);
});

it('two members are not started again at once', async () => {
  const { clock, killed, alive } = start(['a', 'b', 'c']);
  await clock.advance(10_000);
  alive.clear();
  await clock.advance(SILENT_MS_MAX + 15_000);
  expect(killed).toEqual(['a']);
  await clock.advance(60_000);
  expect(killed).toEqual(['a', 'b']);
});
