/**
 * Large requests one after the other on one connection, as kubectl and client-go send them: each is answered, however
 * quick the client is.
 */
import { ServerResponse } from 'node:http';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it, vi } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

const REQUESTS = 20;
/** In which the client, on a thread of its own, has the answer and sends the next request. */
const BUSY_MS = 15;

const CLIENT = `
  const { workerData: { url, ca, count }, parentPort } = require('node:worker_threads');
  const { Agent, request } = require('node:https');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => ['k' + i, 'x'.repeat(100)])) });
  const send = () => new Promise((resolve) => {
    const asked = request(url, { method: 'POST', agent, ca, headers: { 'content-type': 'application/json', 'content-length': body.length } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    asked.on('error', (error) => resolve(error.code)).end(body);
  });
  (async () => {
    const answers = [];
    for (let i = 0; i < count; i++) answers.push(await send());
    agent.destroy();
    parentPort.postMessage(answers);
  })();
`;

afterEach(() => vi.restoreAllMocks());

function busyAfter(method: 'write' | 'end'): void {
  const original = ServerResponse.prototype[method] as (this: ServerResponse, ...args: unknown[]) => unknown;
  vi.spyOn(ServerResponse.prototype, method).mockImplementation(function (this: ServerResponse, ...args: unknown[]) {
    const result = original.apply(this, args);
    const end_ms = performance.now() + BUSY_MS;
    while (performance.now() < end_ms);
    return result as never;
  });
}

it('a client that sends its next large request as soon as it has a large answer is served', async () => {
  await using test = await startApiServer();
  for (const method of ['write', 'end'] as const) busyAfter(method);
  const worker = new Worker(CLIENT, {
    eval: true,
    workerData: {
      url: `${test.url}/api/v1/namespaces/default/configmaps?dryRun=All`,
      ca: test.certificate,
      count: REQUESTS,
    },
  });
  const answers = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  expect(answers).toEqual(Array.from({ length: REQUESTS }, () => 201));
});
