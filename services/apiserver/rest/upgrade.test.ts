import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { UnknownObject } from '../../../apimachinery/object.js';
import type { PodStream, PodStreamOutput } from '../../../apimachinery/pod-streams.js';
import type { AdmissionAttributes, UpgradeRequest } from '../ports.js';
import { admin, admitEverything, pod, resources } from '../registry/testing.js';
import { startApiServer } from '../testing/api-server.js';

const PODS = '/api/v1/namespaces/default/pods';

async function start() {
  const served: UpgradeRequest[] = [];
  const connections: AdmissionAttributes[] = [];
  const running = await startApiServer({
    admission: () => ({
      ...admitEverything,
      validate: (attributes) => {
        if (attributes.operation === 'CONNECT') connections.push(attributes);
        return Promise.resolve();
      },
    }),
    streaming: {
      serve(upgrade) {
        served.push(upgrade);
        upgrade.socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: test\r\n\r\n');
        return Promise.resolve();
      },
    },
  });
  const service = running.server.registry.as(admin);
  const running1: UnknownObject = {
    ...pod('a'),
    spec: {
      nodeName: 'n1',
      containers: [
        { name: 'x', image: 'i' },
        { name: 'y', image: 'i' },
      ],
    },
  };
  await service.create({ resource: resources.pods, namespace: 'default', object: running1 });
  await service.create({ resource: resources.pods, namespace: 'default', object: pod('unscheduled') });
  return {
    served,
    connections,
    /** The first line of the answer to an upgrade. */
    async upgrade(path: string, token = 'admin'): Promise<string> {
      const socket = connect({ port: Number(new URL(running.url).port), host: '127.0.0.1', ca: running.certificate });
      await once(socket, 'secureConnect');
      socket.write(
        `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nconnection: Upgrade\r\nupgrade: test\r\n\r\n`,
      );
      const [data] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return data.toString().split('\r\n')[0] ?? '';
    },
    /** What comes until there are so many matches, or the server closes the connection. */
    async until(path: string, pattern: RegExp, count: number): Promise<string> {
      const socket = connect({ port: Number(new URL(running.url).port), host: '127.0.0.1', ca: running.certificate });
      await once(socket, 'secureConnect');
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n`);
      let text = '';
      for await (const data of socket) {
        text += String(data);
        if ([...text.matchAll(pattern)].length >= count) break;
      }
      return text;
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

describe('upgrades', () => {
  it('reach the streaming front resolved, with their options, after admission', async () => {
    await using test = await start();
    expect(
      await test.upgrade(`${PODS}/a/exec?container=y&command=ls&command=-l&stdout=1&stderr=true&tty=false`),
    ).toContain('101');
    expect(test.served).toMatchObject([
      {
        kind: 'exec',
        pod: 'a',
        container: 'y',
        command: ['ls', '-l'],
        stdin: false,
        stdout: true,
        stderr: true,
        tty: false,
      },
    ]);
    expect(test.connections).toMatchObject([
      { subresource: 'exec', name: 'a', objectKind: { kind: 'PodExecOptions' } },
    ]);
    expect(await test.upgrade(`${PODS}/a/portforward?ports=80&ports=81`)).toContain('101');
    expect(test.served[1]).toMatchObject({ kind: 'port-forward', ports: [80, 81] });
  });

  it('are refused as HTTP, with the code of a Status', async () => {
    await using test = await start();
    const cases: [string, string, number][] = [
      [`${PODS}/a/exec?command=ls&stdout=1`, 'admin', 400],
      [`${PODS}/a/exec?container=x&stdout=1`, 'admin', 400],
      [`${PODS}/a/exec?container=x&command=ls`, 'admin', 400],
      [`${PODS}/a/exec?container=x&command=ls&stdout=1`, 'nobody', 401],
      [`${PODS}/a/exec?container=x&command=ls&stdout=1`, 'no-rights', 403],
      [`${PODS}/none/exec?command=ls&stdout=1`, 'admin', 404],
      [`${PODS}/unscheduled/exec?command=ls&stdout=1`, 'admin', 400],
      [`${PODS}/unscheduled/portforward?ports=80`, 'admin', 400],
      [`${PODS}/a/portforward?ports=0`, 'admin', 400],
      // What offers no upgrade leaves the offer aside, and answers as ever.
      [`${PODS}/a/status`, 'admin', 200],
      ['/version', 'admin', 200],
      [`${PODS}?watch=true&timeoutSeconds=1`, 'admin', 200],
      [`${PODS}?watch=true`, 'no-rights', 403],
    ];
    for (const [path, token, code] of cases)
      expect(`${path} ${await test.upgrade(path, token)}`).toContain(`HTTP/1.1 ${code}`);
    expect(test.served).toEqual([]);
  });
});

describe('an upgrade of a watch to a protocol that is unknown', () => {
  it('is left aside: the events come all the same', async () => {
    await using test = await start();
    const text = await test.until(`${PODS}?watch=true&timeoutSeconds=60`, /"type":"ADDED"/g, 2);
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\ncontent-type: application\/json\r\n/);
    expect([...text.matchAll(/"type":"ADDED"/g)]).toHaveLength(2);
  });
});

/** Issue 6 row 24: "pods/log over WebSocket drops the connection" (wsstream.Reader). */
describe('pods/log over WebSocket', () => {
  const bytes = Buffer.from([0, 255, 10, 65]);
  async function logs(output: () => AsyncIterator<PodStreamOutput>) {
    let closed = false;
    const stream: PodStream = {
      write: () => Promise.resolve(),
      close: () => (closed = true),
      [Symbol.asyncIterator]: output,
    };
    const running = await startApiServer({
      streamer: {
        reach: () => Promise.resolve(),
        open: (_node, _request, { signal }) => {
          signal.addEventListener('abort', () => (closed = true));
          return Promise.resolve(stream);
        },
      },
    });
    const object: UnknownObject = { ...pod('a'), spec: { nodeName: 'n1', containers: [{ name: 'x', image: 'i' }] } };
    await running.server.registry.as(admin).create({ resource: resources.pods, namespace: 'default', object });
    return {
      closed: () => closed,
      dial: (protocols: string[], token = 'admin') => {
        const url = `${running.url.replace('https', 'wss')}${PODS}/a/log?follow=true`;
        return new WebSocket(url, protocols, {
          ca: running.certificate,
          headers: { authorization: `Bearer ${token}` },
        });
      },
      [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
    };
  }
  async function* lines(): AsyncGenerator<PodStreamOutput> {
    yield { kind: 'stdout', data: Buffer.from('one\n') };
    await Promise.resolve();
    yield { kind: 'stdout', data: bytes };
  }

  it.each<[string[], string, boolean, string[]]>([
    [[], '', true, ['', 'one\n', bytes.toString('latin1')]],
    [['binary.k8s.io'], 'binary.k8s.io', true, ['', 'one\n', bytes.toString('latin1')]],
    [
      ['base64.binary.k8s.io'],
      'base64.binary.k8s.io',
      false,
      ['', Buffer.from('one\n').toString('base64'), bytes.toString('base64')],
    ],
    [
      ['what.k8s.io', 'base64.binary.k8s.io', 'binary.k8s.io'],
      'base64.binary.k8s.io',
      false,
      ['', Buffer.from('one\n').toString('base64'), bytes.toString('base64')],
    ],
  ])('offers %j: speaks %j', async (offered, protocol, isBinary, expected) => {
    await using test = await logs(lines);
    const socket = test.dial(offered);
    const got: [string, boolean][] = [];
    socket.on('message', (data: Buffer, binary) => got.push([data.toString('latin1'), binary]));
    const [code] = (await once(socket, 'close')) as [number];
    expect([socket.protocol, code < 1002 || code === 1005]).toEqual([protocol, true]);
    expect(got).toEqual(expected.map((text) => [text, isBinary]));
    expect(test.closed()).toBe(true);
  });

  it.each<[string[], string, number]>([
    [['channel.k8s.io'], 'admin', 403],
    [['binary.k8s.io'], 'nobody', 401],
    [['binary.k8s.io'], 'no-rights', 403],
  ])('%j of %s is refused with %i', async (offered, token, code) => {
    await using test = await logs(lines);
    const [, response] = (await once(test.dial(offered, token), 'unexpected-response')) as [unknown, IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(code);
  });

  it('of a client that leaves ends the stream at the node', async () => {
    await using test = await logs(() => ({ next: () => new Promise(() => undefined) }));
    const socket = test.dial(['binary.k8s.io']);
    await once(socket, 'message');
    socket.terminate();
    for (let i = 0; i < 6000 && !test.closed(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(test.closed()).toBe(true);
  });
});
