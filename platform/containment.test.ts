/**
 * Issue 6 row 27, "every callback of a socket, process or watcher is contained": a table over the kinds of callback
 * that Node has.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createReadStream, readFile, watch, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, get } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock, systemClock } from './clock.js';
import { ContainedService } from './contained-service.js';
import { Containment } from './containment.js';
import type { Part } from './containment.js';
import { silentLogger } from './log.js';

const boom = (): never => {
  throw new Error('boom');
};
const containment = () => new Containment({ clock: systemClock, logger: silentLogger });
const outside = containment().part('outside');
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

/**
 * Each starts something whose callback throws, or whose error nobody handles. What provokes it happens in another part.
 */
const kinds: Readonly<Record<string, (part: Part, directory: string) => void>> = {
  timer: () => setTimeout(boom, 1),
  interval: () => {
    const timer = setInterval(() => {
      clearInterval(timer);
      boom();
    }, 1);
  },
  immediate: () => void setImmediate(boom),
  'next tick': () => process.nextTick(boom),
  'rejected promise': () => void Promise.reject(new Error('boom')),
  'rejection later': () => void systemClock.sleep(1).then(boom),
  'datagram connect without a route': () => createSocket('udp4').connect(53, '255.255.255.255', boom),
  'datagram sent before it is connected': () => {
    const socket = createSocket('udp4');
    socket.connect(53, '255.255.255.255', () => socket.send('x'));
  },
  'datagram received': () => {
    const socket = createSocket('udp4').on('message', () => {
      socket.close();
      boom();
    });
    socket.bind(0, '127.0.0.1', () =>
      outside.run(() => {
        const from = createSocket('udp4');
        from.send('x', portOf(socket), '127.0.0.1', () => from.close());
      }),
    );
  },
  'connection accepted': () => {
    const server = createServer((socket) => {
      socket.destroy();
      server.close();
      boom();
    }).listen(0, '127.0.0.1', () =>
      outside.run(() => connect(portOf(server), '127.0.0.1').on('error', () => undefined)),
    );
  },
  'data of an accepted connection, guarded': (part) => {
    const server = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .on(
          'data',
          part.guard(() => {
            socket.destroy();
            server.close();
            boom();
          }),
        );
    }).listen(0, '127.0.0.1', () =>
      outside.run(() =>
        connect(portOf(server), '127.0.0.1')
          .on('error', () => undefined)
          .write('x'),
      ),
    );
  },
  'connection refused, no handler': () => void connect(1, '127.0.0.1'),
  'http request': () => {
    const server = createHttpServer((_request, response) => {
      response.end();
      server.close();
      boom();
    }).listen(0, '127.0.0.1', () =>
      outside.run(() =>
        get({ port: portOf(server), host: '127.0.0.1', agent: false }, (response) => response.resume()).on(
          'error',
          () => undefined,
        ),
      ),
    );
  },
  'process that is not there, no handler': () => void spawn('navarch-no-such-command'),
  'output of a process': () => void spawn('echo', ['x']).stdout.on('data', boom),
  'end of a process': () => void spawn('true').on('close', boom),
  'file read': () => readFile('/dev/null', boom),
  'stream of a file': () => void createReadStream('/etc/passwd').on('data', boom),
  'file that is not there, no handler': () => void createReadStream('/navarch/no/such/file'),
  watcher: (_part, directory) => {
    const file = join(directory, 'watched');
    writeFileSync(file, 'a');
    const watcher = watch(file, () => {
      watcher.close();
      boom();
    });
    outside.run(() => setTimeout(() => writeFileSync(file, 'b'), 20));
  },
  'abort listener, guarded': (part) => {
    const abort = new AbortController();
    abort.signal.addEventListener('abort', part.guard(boom));
    outside.run(() => setTimeout(() => abort.abort(), 1));
  },
};

describe('the callbacks of a part', () => {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  let directory = '';
  let runner: { readonly event: (typeof events)[number]; readonly listeners: NodeJS.UncaughtExceptionListener[] }[] =
    [];

  // The test runner listens too, and would call a contained exception a failure of the test.
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'navarch-containment-'));
    runner = events.map((event) => ({
      event,
      listeners: process.rawListeners(event) as NodeJS.UncaughtExceptionListener[],
    }));
    for (const event of events) process.removeAllListeners(event);
  });
  afterEach(async () => {
    for (const { event, listeners } of runner) {
      process.removeAllListeners(event);
      for (const listener of listeners) process.on(event, listener);
    }
    await rm(directory, { recursive: true, force: true });
  });

  it.each(Object.entries(kinds))(
    '%s: the fault is counted and handed to the part that began it',
    async (_kind, begin) => {
      const held = containment();
      const fatal: unknown[] = [];
      const release = held.guardProcess((error) => fatal.push(error));
      const fault = new Promise<unknown>((resolve) => {
        const part = held.part('mine', resolve);
        part.contain(() => begin(part, directory));
      });
      expect(await fault).toBeInstanceOf(Error);
      expect(held.faults()).toMatchObject([{ part: 'mine', count: 1 }]);
      expect(fatal).toEqual([]);
      release();
    },
  );

  it('an exception of no part is fatal', async () => {
    const held = containment();
    const release = held.guardProcess((error) => settle(error));
    let settle: (error: unknown) => void = () => undefined;
    const fatal = new Promise<unknown>((resolve) => (settle = resolve));
    setTimeout(boom, 1);
    expect(String(await fatal)).toBe('Error: boom');
    expect(held.faults()).toEqual([]);
    release();
  });
});

it("timers of a part's clock are contained without the process's help", async () => {
  const clock = new VirtualClock();
  const held = new Containment({ clock, logger: silentLogger });
  const part = held.part('timers');
  part.clock(clock).after(5, boom);
  part.clock(clock).every(10, () => Promise.reject(new Error('later')));
  part.clock(clock).immediate(boom);
  await clock.advance(25);
  await new Promise((resolve) => setImmediate(resolve));
  expect(held.faults()).toMatchObject([{ part: 'timers', count: 4, last: 'later' }]);
});

describe('a contained service', () => {
  const clock = new VirtualClock();
  const setup = (
    start: (life: number, part: Part) => Promise<void>,
    stop: () => Promise<void> = () => Promise.resolve(),
  ) => {
    const held = new Containment({ clock, logger: silentLogger });
    const parts: Part[] = [];
    const service = new ContainedService({
      name: 'dns',
      containment: held,
      clock,
      create: (part) => {
        const life = parts.push(part);
        return { name: 'dns', start: () => start(life, part), stop };
      },
    });
    return { held, parts, service };
  };

  it('is made again after a fault, with a delay that doubles, and a fault of an earlier life does not end the next', async () => {
    const { held, parts, service } = setup(() => Promise.resolve());
    await service.start();
    parts[0]?.fault(new Error('one'));
    expect(service.current).toBeUndefined();
    await clock.advance(100);
    expect([parts.length, service.current !== undefined]).toEqual([2, true]);
    parts[0]?.fault(new Error('late'));
    expect(service.current).toBeDefined();
    parts[1]?.fault(new Error('two'));
    await clock.advance(150);
    expect(parts).toHaveLength(2);
    await clock.advance(60);
    expect(parts).toHaveLength(3);
    expect(held.faults()).toMatchObject([{ part: 'dns', count: 3 }]);
    await service.stop();
    await clock.advance(60_000);
    expect(parts).toHaveLength(3);
  });

  it('whose start fails is tried again; its start does not reject', async () => {
    const { parts, service } = setup((life) =>
      life < 4 ? Promise.reject(new Error('address in use')) : Promise.resolve(),
    );
    await service.start();
    await clock.advance(100 + 200 + 400);
    expect([parts.length, service.current !== undefined]).toEqual([4, true]);
    await service.stop();
  });

  it('that hangs in its stop, or throws there, is replaced all the same', async () => {
    for (const stop of [
      () => new Promise<void>(() => undefined),
      () => Promise.reject(new Error('no')),
      () => boom(),
    ]) {
      const { parts, service } = setup(() => Promise.resolve(), stop);
      await service.start();
      parts[0]?.fault(new Error('one'));
      await clock.advance(6_000);
      expect(parts).toHaveLength(2);
    }
  });
});
