import { describe, expect, it } from 'vitest';
import { Inbox, ReadBudget } from './inbox.js';

const MIB = 1 << 20;

function setUp() {
  const carrier = {
    paused: false,
    pause: () => void (carrier.paused = true),
    resume: () => void (carrier.paused = false),
  };
  const budget = new ReadBudget(carrier);
  let read = 0;
  const inbox = () => new Inbox({ budget, onRead: (bytes) => (read += bytes) });
  return { carrier, inbox, read: () => read };
}

describe('an inbox', () => {
  it('delivers in order, also what came before the end', async () => {
    const inbox = setUp().inbox();
    const first = inbox.next();
    for (const text of ['a', 'b', '', 'c']) inbox.push(Buffer.from(text));
    inbox.end();
    inbox.push(Buffer.from('late'));
    inbox.fail(new Error('the end came first'));
    let text = String((await first).value);
    for await (const chunk of inbox) text += chunk.toString();
    expect(text).toBe('abc');
  });

  it('fails its reader, waiting or not, and drops what waits', async () => {
    const { inbox, read } = setUp();
    const [waiting, full] = [inbox(), inbox()];
    const next = waiting.next();
    full.push(Buffer.from('dropped'));
    for (const one of [waiting, full]) one.fail(new Error('gone'));
    await expect(next).rejects.toThrow('gone');
    await expect(full.next()).rejects.toThrow('gone');
    expect(read()).toBe(7);
  });

  it('that is cancelled ends its reader, takes what comes and holds up nobody', async () => {
    const { carrier, inbox, read } = setUp();
    const one = inbox();
    const next = one.next();
    one.cancel();
    for (let i = 0; i < 10; i++) one.push(Buffer.alloc(MIB));
    expect([(await next).done, carrier.paused, read()]).toEqual([true, false, 10 * MIB]);
  });
});

describe('the budget of a connection', () => {
  it('holds the carrier back for all its channels together, and lets go below', async () => {
    const { carrier, inbox } = setUp();
    const [one, other] = [inbox(), inbox()];
    one.push(Buffer.alloc(MIB));
    other.push(Buffer.alloc(MIB));
    expect(carrier.paused).toBe(false);
    other.push(Buffer.of(1));
    expect(carrier.paused).toBe(true);
    await one.next();
    expect(carrier.paused).toBe(true);
    await other.next();
    expect(carrier.paused).toBe(false);
  });
});
