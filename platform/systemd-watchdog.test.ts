import { expect, it } from 'vitest';
import { VirtualClock } from './clock.js';
import { silentLogger } from './log.js';
import { SystemdWatchdog } from './systemd-watchdog.js';

async function messages(environment: Record<string, string>, advance_ms: number) {
  const clock = new VirtualClock();
  const sent: string[] = [];
  const executor = {
    run: (command: string, args: readonly string[]) => (
      sent.push([command, ...args].join(' ')),
      Promise.resolve({ code: 0, stdout: '', stderr: '' })
    ),
  };
  const watchdog = new SystemdWatchdog({ executor, clock, logger: silentLogger, environment, pid: 7 });
  await watchdog.start();
  await clock.advance(advance_ms);
  await watchdog.stop();
  const count = sent.length;
  await clock.advance(advance_ms);
  expect(sent.length).toBe(count);
  return sent;
}

it('systemd is told three times within WatchdogSec, and not by anybody but the process it watches', async () => {
  const watched = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' };
  expect(await messages(watched, 30_000)).toEqual(Array(4).fill('systemd-notify WATCHDOG=1'));
  expect(await messages({ ...watched, WATCHDOG_PID: '8' }, 30_000)).toEqual([]);
  expect(await messages({ NOTIFY_SOCKET: '/run/systemd/notify' }, 30_000)).toEqual([]);
  expect(await messages({ WATCHDOG_USEC: '30000000' }, 30_000)).toEqual([]);
});
