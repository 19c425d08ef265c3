import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Coalesced } from './coalesced.js';

/** Runs that end when told to. */
function controlled() {
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const events: string[] = [];
  let open = 0;
  const run = (): Promise<void> => {
    open += 1;
    events.push(open === 1 ? 'run' : 'overlap');
    return new Promise<void>((resolve, reject) => ends.push({ resolve, reject })).finally(() => (open -= 1));
  };
  const work = new Coalesced({
    run,
    onFailure: (error) => events.push(String(error)),
    onIdle: () => events.push('idle'),
  });
  return { work, ends, events };
}

/** Enough microtasks for a run to end and the next one to begin. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('coalesced work', () => {
  it('runs once more, and only once, for all requests that arrive during a run', async () => {
    const { work, ends, events } = controlled();
    work.request();
    await settle();
    for (let i = 0; i < 3; i += 1) work.request();
    ends[0]?.resolve();
    await settle();
    expect(events).toEqual(['run', 'run']);
    ends[1]?.resolve();
    await settle();
    expect(events).toEqual(['run', 'run', 'idle']);
    expect(work.isIdle).toBe(true);
  });

  it('takes requests of one turn together', async () => {
    const { work, events } = controlled();
    work.request();
    work.request();
    await settle();
    expect(events).toEqual(['run']);
    expect(work.isIdle).toBe(false);
  });

  it('serves a request that the run itself makes', async () => {
    let runs = 0;
    const work: Coalesced = new Coalesced({
      run: () => {
        runs += 1;
        if (runs < 3) work.request();
        return Promise.resolve();
      },
      onFailure: () => undefined,
    });
    work.request();
    await settle();
    expect(runs).toBe(3);
  });

  it('drops what was requested during a run that fails, and serves what the handler of the failure requests', async () => {
    const { work, ends, events } = controlled();
    work.request();
    await settle();
    work.request();
    ends[0]?.reject(new Error('no'));
    await settle();
    expect(events).toEqual(['run', 'Error: no', 'idle']);
    work.request();
    await settle();
    expect(events.at(-1)).toBe('run');

    let failures = 0;
    const retried: Coalesced = new Coalesced({
      run: () => (failures === 0 ? Promise.reject(new Error('first')) : Promise.resolve()),
      onFailure: () => {
        failures += 1;
        retried.request();
      },
    });
    retried.request();
    await settle();
    expect(failures).toBe(1);
    expect(retried.isIdle).toBe(true);
  });

  it('begins nothing after stop, which waits for the present run', async () => {
    const { work, ends, events } = controlled();
    work.request();
    await settle();
    work.request();
    let isStopped = false;
    const stopped = work.stop().then(() => (isStopped = true));
    await settle();
    expect(isStopped).toBe(false);
    ends[0]?.resolve();
    await stopped;
    work.request();
    await settle();
    expect(events).toEqual(['run']);
  });

  it('never overlaps, and a run begins after the last request, whatever the order of requests and ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('request', 'end', 'fail', 'turn'), { maxLength: 40 }),
        async (steps) => {
          const { work, ends, events } = controlled();
          let ended = 0;
          let isOwed = false;
          for (const step of steps) {
            const before = ends.length;
            if (step === 'request') {
              work.request();
              isOwed = true;
            } else if (step !== 'turn' && ended < ends.length) {
              if (step === 'end') ends[ended]?.resolve();
              else ends[ended]?.reject(new Error('no'));
              if (step === 'fail') isOwed = false;
              ended += 1;
            }
            await settle();
            if (ends.length > before) isOwed = false;
            // Without a run under way nothing requested is left.
            if (ended === ends.length) expect(isOwed).toBe(false);
          }
          expect(events).not.toContain('overlap');
        },
      ),
      { numRuns: 50 },
    );
  });
});
