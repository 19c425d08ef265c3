import { Server } from '@grpc/grpc-js';
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { certificateIdentity, createAuthority, issueCertificate } from '../../../platform/pki/x509.js';
import type { KeyPair } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import { configMaps } from '../../../apimachinery/gen/resources.js';
import type { ConfigMap } from '../../../apimachinery/gen/types.js';
import type { CallOptions } from '../../../apimachinery/object-service.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Client } from '../../../sdk/client.js';
import { connect } from '../../../sdk/grpc/connect.js';
import { InformerFactory } from '../../../sdk/informer/informer-factory.js';
import { clientConformance } from '../../../sdk/testing/client-conformance.js';
import { FakeObjectService } from '../../../sdk/testing/fake-object-service.js';
import type { AuthenticationRequest, Authenticator, Authorizer } from '../ports.js';
import { rotatingServerCredentials } from './credentials.js';
import { HeavyWork } from '../work/heavy-work.js';
import { createObjectFront } from './front.js';

const HOUR_MS = 3_600_000;
const context = { clock: systemClock, random: systemRandom };
let authority: KeyPair;
let serverPair: KeyPair;
let clientPair: KeyPair;
let strangerPair: KeyPair;

beforeAll(async () => {
  authority = await createAuthority('test', HOUR_MS, context);
  const other = await createAuthority('other', HOUR_MS, context);
  serverPair = await issueCertificate(
    authority,
    {
      subject: { commonName: 'member' },
      names: ['localhost', 'kubernetes.default.svc'],
      usages: ['server'],
      lifetime_ms: HOUR_MS,
    },
    context,
  );
  const client = {
    subject: { commonName: 'alice', organizations: ['people'] },
    names: [],
    usages: ['client' as const],
    lifetime_ms: HOUR_MS,
  };
  clientPair = await issueCertificate(authority, client, context);
  strangerPair = await issueCertificate(other, client, context);
});

/** Certificates by their subject, and one token. */
const authenticator: Authenticator = {
  authenticate: async ({ peerCertificate, headers }: AuthenticationRequest) => {
    if (headers['authorization'] === 'Bearer good') return { name: 'robot', groups: [] };
    if (peerCertificate?.verified !== true) return undefined;
    const { commonName, organizations } = certificateIdentity(new X509Certificate(peerCertificate.der));
    return { name: commonName, groups: organizations };
  },
};

const authorizer: Authorizer = {
  authorize: async (asked) => ({
    allowed:
      asked.kind === 'nonResource' ||
      (asked.resource !== 'secrets' && !(asked.verb === 'create' && asked.name === 'new')),
    reason: '',
  }),
};

interface Member {
  readonly address: string;
  readonly server: Server;
}

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function member(service: FakeObjectService, stall_ms = 30_000): Promise<Member> {
  const server = new Server();
  const front = createObjectFront({
    as: () => service,
    authenticator,
    authorizer,
    heavy: new HeavyWork({ clock: systemClock, holds: { note: () => undefined } }),
    clock: systemClock,
    logger: silentLogger,
    stall_ms,
  });
  server.addService(front.definition, front.implementation);
  const material = { certificate: serverPair.certificate, key: serverPair.privateKey, clientCa: authority.certificate };
  const credentials = rotatingServerCredentials({ current: () => material, onChange: () => () => undefined });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, at) => (error === null ? resolve(at) : reject(error)));
  });
  open.push(() => server.forceShutdown());
  return { address: `127.0.0.1:${bound}`, server };
}

const newService = () => new FakeObjectService({ clock: systemClock, random: systemRandom });
const tlsOf = (pair: KeyPair) => ({ ...pair, ca: authority.certificate });

async function clientOfMembers(
  members: readonly Member[],
  options: Partial<Parameters<typeof connect>[0]> = {},
): Promise<Client> {
  const client = await connect({
    endpoints: members.map(({ address }) => address),
    tls: tlsOf(clientPair),
    random: { ...systemRandom, int: () => 0 },
    ...options,
  });
  open.push(() => client.close());
  return client;
}

clientConformance('over gRPC with mutual TLS', async () => {
  const { address, server } = await member(newService());
  const client = await connect({ endpoints: [address], tls: tlsOf(clientPair) });
  return {
    client,
    close: async () => {
      await client.close();
      server.forceShutdown();
    },
  };
});

describe('who may call', () => {
  it('takes a token instead of a certificate, and asks for it before each call', async () => {
    const one = await member(newService());
    let token = 'good';
    const client = await clientOfMembers([one], { tls: { ca: authority.certificate }, token: () => token });
    await client.create(configMaps, { metadata: { name: 'a', namespace: 'd' } });
    token = 'stolen';
    await expect(client.get(configMaps, { namespace: 'd', name: 'a' })).rejects.toMatchObject({
      code: 401,
      reason: 'Unauthorized',
    });
  });

  it('knows nobody by a certificate of another authority', async () => {
    const one = await member(newService());
    const client = await clientOfMembers([one], { tls: tlsOf(strangerPair) });
    await expect(client.get(configMaps, { namespace: 'd', name: 'a' })).rejects.toMatchObject({ code: 401 });
  });

  it('refuses in the words of kube-apiserver', async () => {
    const client = await clientOfMembers([await member(newService())]);
    const secrets = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true };
    await expect(client.get(secrets, { namespace: 'd', name: 's' })).rejects.toMatchObject({
      code: 403,
      message:
        'secrets "s" is forbidden: User "alice" cannot get resource "secrets" in API group "" in the namespace "d"',
    });
  });

  it.each(['update', 'apply'] as const)('%s of what does not exist asks for the right to create', async (verb) => {
    const service = newService();
    const making = (_request: unknown, { mayCreate }: CallOptions = {}) =>
      mayCreate?.().then(() => Promise.reject(apiErrors.internal('made'))) ??
      Promise.reject(apiErrors.internal('not asked'));
    Object.assign(service, { update: making, patch: making });
    const client = await clientOfMembers([await member(service)]);
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'new', namespace: 'd', resourceVersion: '1' },
    };
    const write =
      verb === 'update' ? client.update(configMaps, object) : client.apply(configMaps, object, { fieldManager: 'm' });
    await expect(write).rejects.toMatchObject({
      code: 403,
      message: expect.stringContaining('cannot create resource "configmaps"') as string,
    });
  });
});

describe('members that come and go', () => {
  it('reads go to another member when the one in use dies', async () => {
    const service = newService();
    const [one, two] = [await member(service), await member(service)];
    const client = await clientOfMembers([one, two]);
    await client.create(configMaps, { metadata: { name: 'a', namespace: 'd' } });
    one.server.forceShutdown();
    for (let i = 0; i < 20; i++)
      expect((await client.get(configMaps, { namespace: 'd', name: 'a' })).metadata?.name).toBe('a');
  });

  it('reads go to another member when the one in use says that it cannot serve', async () => {
    const [lonely, service] = [newService(), newService()];
    const [one, two] = [await member(lonely), await member(service)];
    const client = await clientOfMembers([one, two]);
    lonely.failNext('list', 'configmaps', apiErrors.serviceUnavailable('no quorum'));
    expect((await client.list(configMaps)).items).toEqual([]);
    expect(service.calls.map((call) => call.verb)).toEqual(['list']);
  });

  it('a write whose outcome is unknown is not repeated', async () => {
    const service = newService();
    const members = [await member(service), await member(service)];
    const client = await clientOfMembers(members);
    await client.list(configMaps);
    let writes = 0;
    const create = service.create.bind(service);
    service.create = (request, options) => {
      writes++;
      members[0]?.server.forceShutdown();
      return create(request, options);
    };
    await expect(client.create(configMaps, { metadata: { name: 'a', namespace: 'd' } })).rejects.toMatchObject({
      code: 503,
      reason: 'ServiceUnavailable',
      message: expect.stringContaining('whether the write happened is unknown') as string,
    });
    expect(writes).toBe(1);
    // The next one goes to the member that lives, and finds what happened.
    await expect(client.create(configMaps, { metadata: { name: 'a', namespace: 'd' } })).rejects.toMatchObject({
      reason: 'AlreadyExists',
    });
  });

  it('an informer goes on without a list, and without losing or repeating an event', async () => {
    const service = newService();
    const [one, two] = [await member(service), await member(service)];
    const client = await clientOfMembers([one, two]);
    const factory = new InformerFactory({ client, clock: systemClock, random: systemRandom, logger: silentLogger });
    const seen: string[] = [];
    let enough: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (enough = resolve));
    factory.informer(configMaps).addHandler({
      add: (object) => {
        seen.push(object.metadata?.name ?? '');
        if (seen.length === 30) enough();
      },
    });
    open.push(() => factory.stop());
    await factory.start();
    await factory.whenSynced();
    const put = (i: number) =>
      service.create({ resource: configMaps, namespace: 'd', object: { metadata: { name: `c${i}`, namespace: 'd' } } });
    for (let i = 0; i < 10; i++) await put(i);
    one.server.forceShutdown();
    for (let i = 10; i < 30; i++) await put(i);
    await all;
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => `c${i}`));
    expect(service.calls.filter((call) => call.verb === 'list')).toHaveLength(1);
  });

  it('says of every endpoint why it cannot be reached', async () => {
    const one = await member(newService());
    one.server.forceShutdown();
    await expect(
      connect({ endpoints: [one.address], tls: tlsOf(clientPair), connectTimeout_ms: 300 }),
    ).rejects.toMatchObject({
      reason: 'ServiceUnavailable',
      message: expect.stringMatching(/127\.0\.0\.1:\d+: .*ECONNREFUSED/) as string,
    });
  });

  it('refuses a server of another authority', async () => {
    const one = await member(newService());
    const other = await createAuthority('other', HOUR_MS, context);
    await expect(
      connect({
        endpoints: [one.address],
        tls: { ...tlsOf(clientPair), ca: other.certificate },
        connectTimeout_ms: 300,
      }),
    ).rejects.toMatchObject({ reason: 'ServiceUnavailable', message: expect.stringMatching(/certificate/) as string });
  });
});

describe('slow clients', () => {
  it('lose their watch instead of filling the memory, and resume without a gap', async () => {
    const service = newService();
    const client = await clientOfMembers([await member(service, 50)]);
    const filling = 'x'.repeat(100_000);
    const put = (i: number) =>
      service.create({
        resource: configMaps,
        object: { metadata: { name: `c${i}`, namespace: 'd' }, data: { filling } } as ConfigMap,
      });
    const versions: number[] = [];
    const follow = async (from: string, slowly: boolean, count: number) => {
      for await (const event of client.watch(configMaps, { resourceVersion: from })) {
        versions.push(Number(event.handle.resourceVersion));
        if (versions.length === 1 && slowly) {
          for (let i = 1; i < count; i++) await put(i);
          await closed;
        }
        if (versions.length === count) return;
      }
    };
    const from = service.resourceVersion;
    const first = follow(from, true, 300);
    let closes: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => (closes = resolve));
    // Established first: a watch that has not begun would count as one that was closed.
    while (service.watchCount === 0) await systemClock.sleep(5);
    await put(0);
    while (service.watchCount > 0) await systemClock.sleep(5);
    closes();
    await expect(first).rejects.toMatchObject({ code: 429, reason: 'TooManyRequests' });
    expect(versions.length).toBeLessThan(300);
    // On a busy machine this client, too, may be taken for slow: it resumes as often as it is told to.
    while (versions.length < 300) {
      await follow(String(versions.at(-1)), false, 300).catch((error: unknown) =>
        expect(error).toMatchObject({ reason: 'TooManyRequests' }),
      );
    }
    expect(versions).toEqual(Array.from({ length: 300 }, (_, i) => Number(from) + 1 + i));
  });
});

describe('bad input', () => {
  it('an endpoint that is none, no credentials', async () => {
    await expect(connect({ endpoints: [], tls: tlsOf(clientPair) })).rejects.toMatchObject({ reason: 'BadRequest' });
    await expect(connect({ endpoints: ['a b'], tls: tlsOf(clientPair) })).rejects.toMatchObject({
      reason: 'BadRequest',
    });
    await expect(connect({ endpoints: ['127.0.0.1:1'], tls: { ca: authority.certificate } })).rejects.toMatchObject({
      reason: 'Unauthorized',
    });
  });

  it('an error larger than a header block arrives shortened, not as a broken stream', async () => {
    const service = newService();
    const client = await clientOfMembers([await member(service)]);
    const errors = Array.from({ length: 2000 }, (_, i) => ({
      type: 'FieldValueInvalid' as const,
      field: `data[key-${i}]`,
      detail: 'Invalid value: too strange',
    }));
    service.failNext('create', 'configmaps', apiErrors.invalid({ group: '', kind: 'ConfigMap' }, 'a', errors));
    await expect(
      client.create<ConfigMap>(configMaps, { metadata: { name: 'a', namespace: 'd' } }),
    ).rejects.toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: expect.stringContaining('data[key-0]') as string,
    });
  });

  it('an error that is no ApiError tells the client nothing of the inside', async () => {
    const service = newService();
    const client = await clientOfMembers([await member(service)]);
    service.get = () => Promise.reject(new TypeError('secret detail'));
    await expect(client.get(configMaps, { namespace: 'd', name: 'a' })).rejects.toMatchObject({
      code: 500,
      message: expect.not.stringContaining('secret detail') as string,
    });
  });
});
