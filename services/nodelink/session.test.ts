/** What a worker's session may cost the member, whatever the worker sends (issue 6, rows 1 and 2). */
import { credentials, status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Pod, PodStatus } from '../../apimachinery/gen/types.js';
import { nodes, pods } from '../../apimachinery/gen/resources.js';
import { systemClock } from '../../platform/clock.js';
import { Containment } from '../../platform/containment.js';
import { silentLogger } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import { NodeServiceClient, type SessionRequest, type SessionResponse } from '../../proto/gen/navarch/node/v1/node.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { NODE_OBJECTS } from '../../apimachinery/node-objects/table.js';
import { Catalog } from './catalog.js';
import { NodeSession, type SessionCall } from './session.js';
import { startMember, testApi, type TestApi } from './test-cluster.js';

type Message = NonNullable<SessionRequest['message']>;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const podReport = (name: string, uid: string, status: Buffer): Message => ({
  $case: 'podReport',
  value: { namespace: 'default', name, uid, status },
});
const PRIMARY: Message = { $case: 'role', value: { primary: true, revision: '0', known: [], kinds: undefined } };

async function worker(api: TestApi) {
  const member = await startMember(api, 'm1', 'w1', []);
  stops.push(() => member.stop());
  const client = new NodeServiceClient(member.endpoint, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  });
  stops.push(() => Promise.resolve(client.close()));
  const call = client.session();
  const answers: SessionResponse[] = [];
  const ended = new Promise<ServiceError>((resolve) => call.on('error', resolve));
  call.on('data', (message: SessionResponse) => answers.push(message));
  const send = (message: Message) => call.write({ message });
  send({ $case: 'hello', value: { nodeName: 'w1', agentVersion: 'test' } });
  return { send, answers, ended };
}

async function podOnNode(api: TestApi): Promise<Pod> {
  return api.client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', name: 'a' },
    spec: { nodeName: 'w1', containers: [{ name: 'web', image: 'example.test/web:1' }] },
  });
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 2400; attempt++) {
    if (await isSo()) return;
    await systemClock.sleep(25);
  }
  throw new Error(`timed out waiting for ${what}`);
}

describe('reports that cannot be written', () => {
  const statuses: [string, Buffer][] = [
    ['null', json(null)],
    ['a list', json([])],
    ['a number', json(1)],
    ['not JSON', Buffer.from('{')],
    ['conditions that are an object', json({ conditions: {} })],
    ['conditions of null', json({ conditions: [null] })],
  ];
  it.each(statuses)("a pod's status of %s is dropped, and what comes after it is written", async (_name, status) => {
    const api = testApi();
    const pod = await podOnNode(api);
    const { send, answers } = await worker(api);
    send(PRIMARY);
    await until('synced', () => Promise.resolve(answers.some(({ message }) => message?.$case === 'synced')));
    send(podReport('a', pod.metadata?.uid ?? '', status));
    send(podReport('a', pod.metadata?.uid ?? '', json({ phase: 'Running' } satisfies PodStatus)));
    await until(
      'Running',
      async () => (await api.client.get(pods, { namespace: 'default', name: 'a' })).status?.phase === 'Running',
    );
  });

  it.each([
    ['null', null],
    ['no labels', { status: {} }],
    ['labels of null', { labels: null, status: {} }],
    ['status of null', { labels: {}, status: null }],
    ['conditions of null', { labels: {}, status: { conditions: [null] } }],
  ])("a node's report of %s holds up no pod", async (_name, report) => {
    const api = testApi();
    const pod = await podOnNode(api);
    const { send } = await worker(api);
    send(PRIMARY);
    send({ $case: 'nodeReport', value: { node: json(report) } });
    send(podReport('a', pod.metadata?.uid ?? '', json({ phase: 'Running' } satisfies PodStatus)));
    await until(
      'Running',
      async () => (await api.client.get(pods, { namespace: 'default', name: 'a' })).status?.phase === 'Running',
    );
    send({ $case: 'nodeReport', value: { node: json({ labels: {}, status: {} }) } });
    await until('the node', async () => (await api.client.list(nodes)).items.length === 1);
  });
});

describe('what waits of a worker is bounded', () => {
  it('reports of a standby session that nobody writes end it', async () => {
    const { send, ended } = await worker(testApi());
    const status = json({ message: 'x'.repeat(1 << 20) });
    for (let i = 0; i < 40; i++) send(podReport(`p${i}`, `u${i}`, status));
    expect((await ended).code).toBe(GrpcStatus.INVALID_ARGUMENT);
  });

  it.each([
    ['podReport', podReport('a', 'u', Buffer.alloc(2 << 20))],
    ['nodeReport', { $case: 'nodeReport', value: { node: Buffer.alloc(2 << 20) } }] as const,
  ])('a %s that no store takes ends it', async (_name, message) => {
    const { send, ended } = await worker(testApi());
    send(message);
    expect((await ended).details).toContain('may have at most 1572864');
  });

  it('requests for tokens beyond what may wait are refused, all are answered', async () => {
    const { send, answers } = await worker(testApi());
    for (let i = 0; i < 5_000; i++) {
      send({
        $case: 'tokenAsk',
        value: { requestId: i, namespace: 'default', podName: 'none', podUid: 'u', audience: '', expirationS: 600 },
      });
    }
    const grants = () => answers.flatMap(({ message }) => (message?.$case === 'tokenGrant' ? [message.value] : []));
    await until('5,000 answers', () => Promise.resolve(grants().length === 5_000));
    expect(grants().every(({ token, error }) => token === '' && error !== '')).toBe(true);
  });

  it('a worker that takes nothing is cut off by the bytes that wait for it', () => {
    const { client } = testApi();
    let written = 0;
    let isEnded = false;
    // A stream whose reader has gone to sleep: nothing that is written is ever sent.
    const call = {
      write: () => {
        written++;
        return false;
      },
      end: () => {
        isEnded = true;
      },
    } as unknown as SessionCall;
    const session = new NodeSession({
      node: 'w1',
      key: undefined,
      call,
      client,
      catalog: new Catalog(
        new InformerFactory({ client, clock: systemClock, random: systemRandom, logger: silentLogger }),
        NODE_OBJECTS,
      ),
      clock: systemClock,
      logger: silentLogger,
      part: new Containment({ clock: systemClock, logger: silentLogger }).part('test'),
      leaseRenewal_ms: 10_000,
      welcome: { memberId: 'm1', endpoints: [] },
    });
    onTestFinished(() => session.close());
    for (let sequence = 0; sequence < 200_000 && !isEnded; sequence++)
      session.receive({ $case: 'heartbeat', value: { sequence } });
    expect(isEnded).toBe(true);
    expect(written).toBeLessThan(200_000);
  });
});
