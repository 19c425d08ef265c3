/**
 * A number of 64 bits that a service of our own cannot hold is the caller's fault: INVALID_ARGUMENT, whatever field of
 * whatever RPC it stands in.
 */
import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type Client,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterServiceService } from '../../proto/gen/navarch/cluster/v1/cluster.js';
import { NodeServiceService } from '../../proto/gen/navarch/node/v1/node.js';
import { ObjectServiceService } from '../../proto/gen/navarch/objects/v1/objects.js';
import { PeerServiceService } from '../../proto/gen/navarch/raft/v1/peer.js';
import { WriteServiceService } from '../../proto/gen/navarch/store/v1/write.js';
import { peerService } from '../../raft/transport/codec.js';
import { messageWith, ProtoFiles } from '../testing-proto.js';
import type { NumberPath } from '../testing-proto.js';
import { answeringUnreadable, type Endpoint } from './unreadable.js';

const SERVICES: Record<string, ServiceDefinition> = {
  Members: ClusterServiceService,
  Node: NodeServiceService,
  Objects: ObjectServiceService,
  Write: WriteServiceService,
  Peers: peerService,
  'Peers, as generated': PeerServiceService,
};
const SAFE = 2n ** 53n - 1n;
const UNSAFE = [SAFE + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const proto = new ProtoFiles(new URL('../../proto/', import.meta.url));

/** Answers whatever can be read with nothing. */
function stub(definition: ServiceDefinition): Endpoint {
  const methods = Object.entries(definition);
  const nothing = () => Buffer.alloc(0);
  return {
    definition: Object.fromEntries(methods.map(([name, method]) => [name, { ...method, responseSerialize: nothing }])),
    implementation: Object.fromEntries(
      methods.map(([name, { requestStream, responseStream }]) => [
        name,
        (call: NodeJS.ReadWriteStream, callback?: (error: null, answer: object) => void) => {
          if (requestStream) call.on('error', () => undefined).resume();
          if (requestStream) call.on('end', () => (responseStream ? call.end() : callback?.(null, {})));
          else if (responseStream) call.end();
          else callback?.(null, {});
        },
      ]),
    ) as unknown as Endpoint['implementation'],
  };
}

const servers: Server[] = [];
const clients: Client[] = [];
async function serve(endpoint: Endpoint): Promise<Client> {
  const server = new Server();
  servers.push(server);
  server.addService(endpoint.definition, endpoint.implementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const client = new (makeGenericClientConstructor({}, 'any'))(`127.0.0.1:${port}`, credentials.createInsecure());
  clients.push(client);
  return client;
}

/** The code and text that the call ends with. */
function call(
  client: Client,
  { path, requestStream, responseStream }: MethodDefinition<unknown, unknown>,
  request: Buffer,
): Promise<[number, string]> {
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) =>
      resolve(error === null ? [status.OK, ''] : [error.code, error.details]);
    if (!requestStream && !responseStream)
      return void client.makeUnaryRequest(path, same, same, request, new Metadata(), {}, done);
    if (!requestStream)
      return void client
        .makeServerStreamRequest(path, same, same, request, new Metadata())
        .on('error', done)
        .on('end', () => done(null))
        .resume();
    const stream = responseStream
      ? client
          .makeBidiStreamRequest(path, same, same, new Metadata())
          .on('error', done)
          .on('end', () => done(null))
          .resume()
      : client.makeClientStreamRequest(path, same, same, new Metadata(), {}, done);
    stream.write(request);
    return void stream.end();
  });
}

let clientOf: Record<string, Client>;
beforeAll(async () => {
  clientOf = Object.fromEntries(
    await Promise.all(
      Object.entries(SERVICES).map(
        async ([name, definition]) => [name, await serve(answeringUnreadable(stub(definition)))] as const,
      ),
    ),
  );
});
afterAll(() => {
  for (const client of clients) client.close();
  for (const server of servers) server.forceShutdown();
});

describe('a request with a number of 64 bits', () => {
  const methods = Object.entries(SERVICES).flatMap(([service, definition]) =>
    Object.entries(definition).map(([rpc, method]) => ({ service, rpc, method })),
  );

  it('is found in every RPC that takes one', () => {
    expect(proto.rpcs.filter(({ path }) => path.startsWith('/navarch.')).length).toBeGreaterThan(20);
    expect(
      [...proto.numbersOf('navarch.raft.v1.SnapshotRequest')].map((path) => path.map(({ name }) => name).join('.')),
    ).toContain('header.message.snapshot.voters.id');
    expect(
      [...proto.numbersOf('etcdserverpb.TxnRequest')].map((path) => path.map(({ name }) => name).join('.')),
    ).toContain('success.request_range.limit');
  });

  it.each(methods)('$service $rpc', async ({ service, method }) => {
    const client = clientOf[service] as Client;
    const { request = '' } = proto.rpcs.find(({ path }) => path === method.path) ?? {};
    const ask = (path: NumberPath, value: bigint) =>
      call(client, method as MethodDefinition<unknown, unknown>, messageWith(path, value));
    for (const path of proto.numbersOf(request)) {
      const name = path.map(({ name: one }) => one).join('.');
      expect(await ask(path, SAFE), name).toEqual([status.OK, '']);
      for (const value of UNSAFE) {
        const [code, text] = await ask(path, value);
        // Those that are read as bigint are judged by their handlers.
        if (code === status.OK) continue;
        expect([code, text], `${name}: ${value}`).toEqual([
          status.INVALID_ARGUMENT,
          expect.stringMatching(
            `^the request of ${method.path} cannot be read: (a number in it is beyond|a peer sent bytes that are no message)`,
          ),
        ]);
      }
    }
    expect((await call(client, method as MethodDefinition<unknown, unknown>, Buffer.from([0x0a, 0xff])))[0]).toBe(
      status.INVALID_ARGUMENT,
    );
  });

  it.each(['Members', 'Node', 'Peers'])('%s: at least one is refused', async (service) => {
    const found = methods
      .filter((one) => one.service === service)
      .flatMap(({ method }) => {
        const { request = '' } = proto.rpcs.find(({ path }) => path === method.path) ?? {};
        return [...proto.numbersOf(request)].map((path) =>
          call(
            clientOf[service] as Client,
            method as MethodDefinition<unknown, unknown>,
            messageWith(path, 2n ** 64n - 1n),
          ),
        );
      });
    expect((await Promise.all(found)).map(([code]) => code)).toContain(status.INVALID_ARGUMENT);
  });
});
