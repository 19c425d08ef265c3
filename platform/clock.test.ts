import { describe, expect, it } from 'vitest';
import { VirtualClock, toMicroTime, toTime } from './clock.js';

describe('VirtualClock', () => {
  it('fires timers by due time, then by creation', async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.after(20, () => fired.push('b'));
    clock.after(10, () => fired.push('a'));
    clock.after(20, () => fired.push('c'));
    const every = clock.every(15, () => fired.push(`e${clock.monotonic()}`));
    await clock.advance(30);
    every.cancel();
    await clock.advance(100);
    expect(fired).toEqual(['a', 'e15', 'b', 'c', 'e30']);
  });

  it('keeps durations when the wall clock jumps', async () => {
    const clock = new VirtualClock(0);
    clock.jump(-5000);
    await clock.advance(10);
    expect([clock.now(), clock.monotonic()]).toEqual([-4990, 10]);
  });

  it('rejects a sleep whose signal aborts', async () => {
    const controller = new AbortController();
    const sleep = new VirtualClock().sleep(1000, controller.signal);
    controller.abort(new Error('stop'));
    await expect(sleep).rejects.toThrow('stop');
  });
});

it('writes times as metav1.Time and metav1.MicroTime', () => {
  expect(toTime(1767323045678)).toBe('2026-01-02T03:04:05Z');
  expect(toMicroTime(1767323045678)).toBe('2026-01-02T03:04:05.678000Z');
});
