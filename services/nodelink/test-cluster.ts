/** TEST SUPPORT: members that are only nodelink on a fake ObjectService, on loopback, and hollow workers on them. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { clientOf } from '../../sdk/object-client.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { FakeObjectService } from '../../sdk/testing/fake-object-service.js';
import type { NodeObjectTable } from '../../apimachinery/node-objects/table.js';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import type { Client } from '../../sdk/client.js';
import { createNodelink } from './nodelink.js';
import type { Nodelink } from './nodelink.js';

export interface TestMember {
  readonly endpoint: string;
  readonly nodelink: Nodelink;
  stop(): Promise<void>;
}

export interface TestApi {
  readonly service: FakeObjectService;
  readonly client: Client;
  /** What its members send besides pods; undefined: NODE_OBJECTS. */
  readonly objects?: NodeObjectTable | undefined;
}

export function testApi(objects?: NodeObjectTable): TestApi {
  const service = new FakeObjectService({
    clock: systemClock,
    random: systemRandom,
    withoutStatus: ['leases', 'events', 'configmaps', 'secrets'],
  });
  return { service, client: clientOf(service), objects };
}

/** `identity`: the node every caller is taken for. */
export async function startMember(
  api: TestApi,
  id: string,
  identity: string,
  endpoints: string[],
  leaseRenewal_ms?: number,
): Promise<TestMember> {
  const informers = new InformerFactory({
    client: api.client,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  const nodelink = createNodelink({
    client: api.client,
    informers,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    certificates: {
      signNodeCertificate: (_csr, nodeName) => Promise.resolve({ certificate: `certificate of ${nodeName}`, ca: 'ca' }),
      signServingCertificate: (_csr, nodeName, names) =>
        Promise.resolve({ certificate: `serving ${nodeName} ${names.join()}`, ca: 'ca' }),
      reservedNames: () => [],
    },
    tokens: { find: (token) => Promise.resolve(token === 'good' ? { spend: () => Promise.resolve(true) } : undefined) },
    members: { id, endpoints: () => endpoints, onChange: () => () => undefined },
    identify: () => identity,
    ...(api.objects === undefined ? {} : { objects: api.objects }),
    ...(leaseRenewal_ms === undefined ? {} : { leaseRenewal_ms }),
  });
  await nodelink.start();
  await informers.start();
  const server = new Server();
  server.addService(nodelink.definition, nodelink.implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const endpoint = `127.0.0.1:${port}`;
  endpoints.push(endpoint);
  return {
    endpoint,
    nodelink,
    async stop() {
      server.forceShutdown();
      await nodelink.stop();
      await informers.stop();
    },
  };
}
