/** Issue 7, seam 5: a member's connections into the cluster. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { PassThrough } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { DialTarget } from '../../../apimachinery/dialer.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { PodStream, PodStreamRequest } from '../../../apimachinery/pod-streams.js';
import { apiErrors, isApiError, type StatusReason } from '../../../apimachinery/status.js';
import { VirtualClock } from '../../../platform/clock.js';
import { seededRandom } from '../../../platform/random.js';
import { PipedStream } from '../../agent/runtime/piped-stream.js';
import { MapReader } from '../testing-reader.js';
import { createDialer, type DialLimits } from './index.js';
import type { Connection } from './network.js';

type Opener = (node: string, request: PodStreamRequest, signal: AbortSignal) => Promise<PodStream>;

/** Gives back what it is sent. */
const echo: Opener = (_node, _request, signal) => {
  const stream: PipedStream = new PipedStream({
    signal,
    async onInput(input) {
      if (input.kind === 'stdin') await stream.push({ kind: 'stdout', data: input.data });
      else if (input.kind === 'stdin-end') stream.end();
    },
  });
  return Promise.resolve(stream);
};

interface TestOptions {
  readonly open?: Opener;
  readonly limits?: Partial<DialLimits>;
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  readonly connect?: (connection: Connection) => Promise<Duplex>;
}

function testDialer({
  open = echo,
  limits = {},
  addresses = {},
  connect = () => Promise.resolve(new PassThrough()),
}: TestOptions = {}) {
  const reader = new MapReader();
  const clock = new VirtualClock();
  const dialled: string[] = [];
  const dialer = createDialer({
    reader,
    clock,
    random: seededRandom(7),
    limits,
    streamer: {
      reach: () => Promise.resolve(),
      open(node, request, { signal }) {
        if (request.kind === 'node-port') dialled.push(`${node}: own ${request.port}`);
        if (request.kind === 'port-forward')
          dialled.push(`${node}: ${request.pod}/${request.uid} ${request.address ?? ''} ${request.port}`);
        return open(node, request, signal);
      },
    },
    network: {
      lookup: (host) => Promise.resolve(addresses[host] ?? [host]),
      connect(connection) {
        dialled.push(`${connection.host} ${connection.port}`);
        return connect(connection);
      },
    },
  });
  return {
    reader,
    clock,
    dialled,
    dialer,
    dial: (target: DialTarget) => dialer.dial(target, { signal: new AbortController().signal }),
  };
}

type Test = ReturnType<typeof testDialer>;

function addPod(
  test: Test,
  name: string,
  { ip, node = 'w1', namespace = 'd' }: { readonly ip: string; readonly node?: string; readonly namespace?: string },
): void {
  test.reader.put('pods', {
    metadata: { namespace, name, uid: `uid-${name}` },
    spec: { nodeName: node },
    status: { podIP: ip, podIPs: [{ ip }] },
  } as KubeObject);
}

function addService(test: Test, spec: object, name = 'web'): void {
  test.reader.put('services', { metadata: { namespace: 'd', name }, spec } as KubeObject);
}

const podRef = (name: string, more: object = {}) => ({
  kind: 'Pod',
  namespace: 'd',
  name,
  uid: `uid-${name}`,
  ...more,
});

function addSlice(test: Test, endpoints: readonly object[], more: object = {}): void {
  test.reader.put('endpointslices', {
    metadata: { namespace: 'd', name: `web-${test.reader.changes()}`, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints,
    ...more,
  } as KubeObject);
}

const WEB: DialTarget = { kind: 'service', namespace: 'd', name: 'web', port: 80 };
const PORTS = {
  ports: [
    { name: 'http', port: 80, targetPort: 'web' },
    { name: 'tls', port: 443 },
  ],
};

const closing = (connection: Duplex | undefined): Promise<void> =>
  new Promise((resolve) => void connection?.once('close', resolve));

async function refusal(dialling: Promise<unknown>): Promise<[StatusReason, string]> {
  const error: unknown = await dialling.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!isApiError(error)) throw new Error(`not refused with a Status, but ${String(error)}`);
  return [error.reason, error.message];
}

describe('a pod', () => {
  const target: DialTarget = { kind: 'pod', namespace: 'd', name: 'a', port: 8080 };

  it('is reached by the stream of its node, at the address that was checked', async () => {
    const test = testDialer();
    addPod(test, 'a', { ip: '10.244.1.5' });
    const connection = await test.dial(target);
    connection.end('over and back');
    expect(await textOf(connection)).toBe('over and back');
    expect(test.dialled).toEqual(['w1: a/uid-a 10.244.1.5 8080']);
  });

  it.each(['127.0.0.1', '169.254.169.254', '0.0.0.0', '::1', 'fe80::1', 'not an address', '100.100.100.200'])(
    'is refused with %s in its status',
    async (ip) => {
      const test = testDialer();
      addPod(test, 'a', { ip });
      expect(await refusal(test.dial(target))).toEqual(['BadRequest', 'address not allowed']);
      expect(test.dialled).toEqual([]);
    },
  );

  it('is refused without an address, without a node, and when it does not exist', async () => {
    const test = testDialer();
    expect(await refusal(test.dial(target))).toEqual(['NotFound', 'pods "a" not found']);
    addPod(test, 'a', { ip: '' });
    expect(await refusal(test.dial(target))).toEqual(['BadRequest', 'address not allowed']);
    addPod(test, 'a', { ip: '10.244.1.5', node: '' });
    expect(await refusal(test.dial(target))).toEqual(['BadRequest', 'pod a does not have a host assigned']);
  });

  it('is checked again at every dial', async () => {
    const test = testDialer();
    addPod(test, 'a', { ip: '10.244.1.5' });
    (await test.dial(target)).destroy();
    addPod(test, 'a', { ip: '127.0.0.1' });
    expect(await refusal(test.dial(target))).toEqual(['BadRequest', 'address not allowed']);
  });

  it.each([0, -1, 65_536, 1.5, Number.NaN])('has no port %s', async (port) => {
    expect(await refusal(testDialer().dial({ ...target, port }))).toEqual([
      'BadRequest',
      `${port} is not a port: 1 to 65535`,
    ]);
  });
});

describe('a node', () => {
  it('is reached by its own stream at its own port, whatever address its status has', async () => {
    const test = testDialer();
    test.reader.put('nodes', {
      metadata: { name: 'w1' },
      status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
    } as KubeObject);
    await test.dial({ kind: 'node', name: 'w1', port: 10_250 });
    expect(test.dialled).toEqual(['w1: own 10250']);
    expect(await refusal(test.dial({ kind: 'node', name: 'w2', port: 10_250 }))).toEqual([
      'NotFound',
      'nodes "w2" not found',
    ]);
  });

  it('is unavailable, by name, when this member has no session with it', async () => {
    const test = testDialer({
      open: (node) =>
        Promise.reject(apiErrors.serviceUnavailable(`node "${node}" has no session with this member now`)),
    });
    test.reader.put('nodes', { metadata: { name: 'w1' } });
    expect(await refusal(test.dial({ kind: 'node', name: 'w1', port: 10_250 }))).toEqual([
      'ServiceUnavailable',
      'node "w1" has no session with this member now',
    ]);
  });
});

describe('a Service', () => {
  it.each([
    ['number', 80],
    ['name', 'http'],
  ])('is reached by the %s of its port, at the number that its slice has', async (_, port) => {
    const test = testDialer();
    addPod(test, 'a', { ip: '10.244.1.5' });
    addService(test, PORTS);
    addSlice(test, [{ addresses: ['10.244.1.5'], targetRef: podRef('a') }]);
    await test.dial({ kind: 'service', namespace: 'd', name: 'web', port });
    expect(test.dialled).toEqual(['w1: a/uid-a 10.244.1.5 8080']);
  });

  it('is reached by its one port without a name', async () => {
    const test = testDialer();
    addPod(test, 'a', { ip: '10.244.1.5' });
    addService(test, { ports: [{ port: 80 }] });
    addSlice(test, [{ addresses: ['10.244.1.5'], targetRef: podRef('a') }], { ports: [{ name: '', port: 9090 }] });
    for (const port of [80, '']) await test.dial({ kind: 'service', namespace: 'd', name: 'web', port });
    expect(test.dialled).toEqual(Array.from({ length: 2 }, () => 'w1: a/uid-a 10.244.1.5 9090'));
  });

  const NONE = 'no endpoints available for service "web"';
  const one = [{ addresses: ['10.244.1.5'], targetRef: podRef('a') }];
  interface Found {
    readonly spec?: object;
    readonly endpoints?: readonly object[];
    readonly slice?: object;
    readonly message?: string;
  }

  it.each<readonly [string, Found]>([
    [
      'has no slice of its own',
      { slice: { metadata: { namespace: 'd', name: 'x', labels: { 'kubernetes.io/service-name': 'other' } } } },
    ],
    ['has no endpoints', { endpoints: [] }],
    ['has none that is ready', { endpoints: [{ ...one[0], conditions: { ready: false } }] }],
    ['has a slice without the port', { slice: { ports: [{ name: 'tls', port: 443 }] } }],
    ['has a slice with the port for UDP', { slice: { ports: [{ name: 'http', port: 8080, protocol: 'UDP' }] } }],
    ['has a slice with a port without a number', { slice: { ports: [{ name: 'http' }] } }],
    ['has not the port', { spec: { ports: [{ port: 81 }] }, message: 'no service port 80 found for service "web"' }],
    [
      'is a name outside',
      {
        spec: { type: 'ExternalName', externalName: 'example.test', ...PORTS },
        message: 'unsupported service type "ExternalName"',
      },
    ],
    // Endpoints that somebody wrote (isValidAddress; CVE-2021-25740, CVE-2022-3294).
    ['has an endpoint without a pod', { endpoints: [{ addresses: ['192.0.2.1'] }] }],
    [
      'has an endpoint of another kind',
      { endpoints: [{ addresses: ['10.244.1.5'], targetRef: { ...podRef('a'), kind: 'Node' } }] },
    ],
    ['has another address than its pod', { endpoints: [{ addresses: ['10.244.1.6'], targetRef: podRef('a') }] }],
    [
      'has a pod of another namespace',
      { endpoints: [{ addresses: ['10.244.1.9'], targetRef: podRef('b', { namespace: 'e' }) }] },
    ],
    [
      'has a pod that was there before',
      { endpoints: [{ addresses: ['10.244.1.5'], targetRef: podRef('a', { uid: 'older' }) }] },
    ],
    ['has a pod that is gone', { endpoints: [{ addresses: ['10.244.1.5'], targetRef: podRef('gone') }] }],
    ['has a pod at loopback', { endpoints: [{ addresses: ['127.0.0.1'], targetRef: podRef('bad') }] }],
    [
      'has a host name for an endpoint',
      { endpoints: [{ addresses: ['example.test'] }], slice: { addressType: 'FQDN' } },
    ],
  ])('is unavailable when it %s', async (_, { spec = PORTS, endpoints = one, slice = {}, message = NONE }) => {
    const test = testDialer();
    addPod(test, 'a', { ip: '10.244.1.5' });
    addPod(test, 'b', { ip: '10.244.1.9', namespace: 'e' });
    addPod(test, 'bad', { ip: '127.0.0.1' });
    addService(test, spec);
    addSlice(test, endpoints, slice);
    expect(await refusal(test.dial(WEB))).toEqual(['ServiceUnavailable', message]);
    expect(test.dialled).toEqual([]);
  });

  it('does not exist', async () => {
    expect(await refusal(testDialer().dial(WEB))).toEqual(['NotFound', 'services "web" not found']);
  });

  function withThree(open: Opener): Test {
    const test = testDialer({ open });
    const names = ['a', 'b', 'c'];
    names.forEach((name, index) => addPod(test, name, { ip: `10.244.1.${index + 5}`, node: `w${index + 1}` }));
    addService(test, PORTS);
    addSlice(
      test,
      names.map((name, index) => ({
        addresses: [`10.244.1.${index + 5}`],
        targetRef: podRef(name),
        conditions: { ready: true },
      })),
    );
    return test;
  }

  it('is reached at any of its endpoints, by chance', async () => {
    const test = withThree(echo);
    for (let count = 0; count < 60; count++) (await test.dial(WEB)).destroy();
    expect(new Set(test.dialled).size).toBe(3);
  });

  it('is tried at a second endpoint when the first refuses, and at no third', async () => {
    const refused = new Set<string>();
    const test = withThree((node, request, signal) => {
      if (refused.size > 0) return echo(node, request, signal);
      refused.add(node);
      return Promise.reject(apiErrors.serviceUnavailable('refused'));
    });
    (await test.dial(WEB)).destroy();
    expect(new Set(test.dialled).size).toBe(2);

    const deaf = withThree((node) => Promise.reject(apiErrors.badRequest(`no pod on ${node}`)));
    const [reason, message] = await refusal(deaf.dial(WEB));
    expect(reason).toBe('ServiceUnavailable');
    expect(message).toMatch(/^service "d\/web" was not reached: no pod on w\d$/);
    expect(deaf.dialled).toHaveLength(2);
  });

  it('is reached in its first address family before the other', async () => {
    const test = testDialer();
    addPod(test, 'a', { ip: '10.244.1.5' });
    addPod(test, 'b', { ip: 'fd00::5', node: 'w2' });
    addService(test, { ...PORTS, ipFamilies: ['IPv6', 'IPv4'] });
    addSlice(test, [{ addresses: ['10.244.1.5'], targetRef: podRef('a') }]);
    addSlice(test, [{ addresses: ['fd00::5'], targetRef: podRef('b') }], { addressType: 'IPv6' });
    for (let count = 0; count < 10; count++) (await test.dial(WEB)).destroy();
    expect(new Set(test.dialled)).toEqual(new Set(['w2: b/uid-b fd00::5 8080']));
  });

  it('leads beyond pods for whoever an administrator has configured, and not to what is refused', async () => {
    const test = testDialer({ addresses: { 'example.test': ['192.0.2.4'], 'inside.test': ['169.254.169.254'] } });
    addService(test, PORTS);
    addSlice(test, [{ addresses: ['192.0.2.1'] }]);
    await test.dial({ ...WEB, beyondPods: true });
    addService(test, { type: 'ExternalName', externalName: 'example.test' });
    await test.dial({ ...WEB, beyondPods: true });
    expect(test.dialled).toEqual(['192.0.2.1 8080', '192.0.2.4 80']);
    addService(test, { type: 'ExternalName', externalName: 'inside.test' });
    expect((await refusal(test.dial({ ...WEB, beyondPods: true })))[1]).toContain('address not allowed');
    test.reader.remove('endpointslices');
    addService(test, PORTS);
    addSlice(test, [{ addresses: ['127.0.0.1'] }]);
    expect((await refusal(test.dial({ ...WEB, beyondPods: true })))[1]).toBe(NONE);
  });
});

describe('a url', () => {
  const target: DialTarget = { kind: 'url', host: 'hooks.test', port: 443 };

  it('is dialled at the address that was checked: a name is resolved once', async () => {
    const answers = [['192.0.2.1'], ['127.0.0.1']];
    let asked = 0;
    const dialled: string[] = [];
    const dialer = createDialer({
      reader: new MapReader(),
      clock: new VirtualClock(),
      random: seededRandom(7),
      streamer: { reach: () => Promise.reject(new Error()), open: () => Promise.reject(new Error()) },
      network: {
        lookup: () => Promise.resolve(answers[asked++] ?? []),
        connect({ host }) {
          dialled.push(host);
          return Promise.resolve(new PassThrough());
        },
      },
    });
    const { signal } = new AbortController();
    await dialer.dial(target, { signal });
    expect([asked, dialled]).toEqual([1, ['192.0.2.1']]);
    expect(await refusal(dialer.dial(target, { signal }))).toEqual(['BadRequest', 'address not allowed']);
  });

  it.each([
    ['127.0.0.1'],
    ['::1'],
    ['169.254.169.254'],
    ['192.0.2.1', '127.0.0.1'],
    ['192.0.2.1', 'fe80::1'],
    ['0.0.0.0'],
    ['::ffff:127.0.0.1'],
  ])('is refused when its name has the addresses %s %s', async (...addresses) => {
    const test = testDialer({ addresses: { 'hooks.test': addresses } });
    expect(await refusal(test.dial(target))).toEqual(['BadRequest', 'address not allowed']);
    expect(test.dialled).toEqual([]);
  });

  it.each(['127.0.0.1', '[::1]', '::1', '169.254.169.254', '0'])('is refused as %s', async (host) => {
    expect(await refusal(testDialer().dial({ ...target, host }))).toEqual(['BadRequest', 'address not allowed']);
  });

  it('has no addresses, or does not answer', async () => {
    const test = testDialer({ addresses: { 'hooks.test': [] } });
    expect(await refusal(test.dial(target))).toEqual(['ServiceUnavailable', 'no addresses for hostname "hooks.test"']);
    const deaf = testDialer({
      addresses: { 'hooks.test': ['192.0.2.1', '192.0.2.2', '192.0.2.3'] },
      connect: () => Promise.reject(new Error('connection refused')),
    });
    expect(await refusal(deaf.dial(target))).toEqual([
      'ServiceUnavailable',
      '"hooks.test:443" was not reached: connection refused',
    ]);
    expect(deaf.dialled).toEqual(['192.0.2.1 443', '192.0.2.2 443']);
  });
});

describe('limits', () => {
  const target: DialTarget = { kind: 'pod', namespace: 'd', name: 'a', port: 80 };

  it('end a dial that takes too long, and close what comes after', async () => {
    let arrive: (stream: PodStream) => void = () => undefined;
    const test = testDialer({ open: () => new Promise((resolve) => void (arrive = resolve)) });
    addPod(test, 'a', { ip: '10.244.1.5' });
    const refused = refusal(test.dialer.dial(target, { signal: new AbortController().signal, timeout_ms: 3000 }));
    await test.clock.advance(3000);
    expect(await refused).toEqual(['Timeout', 'Timeout: pod "d/a" was not reached within 3000 ms']);
    const late = new PipedStream({ signal: new AbortController().signal });
    arrive(late);
    await expect.poll(() => late.closed).toBe(true);
  });

  it('end a connection through which no byte passes', async () => {
    const test = testDialer({ limits: { idle_ms: 1000 } });
    addPod(test, 'a', { ip: '10.244.1.5' });
    const connection = await test.dial(target);
    for (let count = 0; count < 5; count++) {
      await test.clock.advance(600);
      connection.write('x');
      await once(connection, 'data');
    }
    const ended = closing(connection);
    await test.clock.advance(2000);
    await ended;
    expect(isApiError(connection.errored, 'Timeout')).toBe(true);
  });

  it('keep connections to one target, and in all, to a number', async () => {
    const test = testDialer({ limits: { perTarget: 2, total: 3 } });
    for (const name of ['a', 'b', 'c']) addPod(test, name, { ip: '10.244.1.5' });
    const open = [await test.dial(target), await test.dial(target)];
    expect(await refusal(test.dial(target))).toEqual(['TooManyRequests', 'too many connections to pod "d/a" are open']);
    open.push(await test.dial({ ...target, name: 'b' }));
    expect((await refusal(test.dial({ ...target, name: 'c' })))[0]).toBe('TooManyRequests');
    await closing(open[0]?.destroy());
    await test.dial({ ...target, name: 'c' });
    // A dial that fails takes no slot for good.
    await closing(open[1]?.destroy());
    for (let count = 0; count < 5; count++)
      expect((await refusal(test.dial({ ...target, name: 'gone' })))[0]).toBe('NotFound');
  });

  it('hold bytes back until the other side reads', async () => {
    let sent = 0;
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => void (release = resolve));
    const test = testDialer({
      open: (_node, _request, signal) =>
        Promise.resolve(
          new PipedStream({
            signal,
            async onInput(input) {
              if (input.kind === 'stdin') sent += input.data.length;
              await held;
            },
          }),
        ),
    });
    addPod(test, 'a', { ip: '10.244.1.5' });
    const connection = await test.dial(target);
    expect(connection.write(Buffer.alloc(8 << 20))).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBeLessThanOrEqual(256 << 10);
    release();
    await once(connection, 'drain');
    expect(sent).toBe(8 << 20);
  });

  it('end with the signal: the dial, and the connection', async () => {
    const test = testDialer();
    addPod(test, 'a', { ip: '10.244.1.5' });
    const abort = new AbortController();
    const connection = await test.dialer.dial(target, { signal: abort.signal });
    const closed = closing(connection);
    const reason = new Error('the caller went');
    abort.abort(reason);
    await closed;
    expect(connection.destroyed).toBe(true);
    await expect(test.dialer.dial(target, abort)).rejects.toBe(reason);
  });
});

it('a stream that breaks is an error of the connection', async () => {
  const test = testDialer({
    open: (_node, _request, signal) => {
      const stream = new PipedStream({ signal });
      void stream.push({ kind: 'stdout', data: Buffer.from('half') });
      stream.end(apiErrors.serviceUnavailable('the stream to the node broke'));
      return Promise.resolve(stream);
    },
  });
  addPod(test, 'a', { ip: '10.244.1.5' });
  const connection = await test.dial({ kind: 'pod', namespace: 'd', name: 'a', port: 80 });
  await expect(textOf(connection)).rejects.toThrow('the stream to the node broke');
});
