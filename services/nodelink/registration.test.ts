/** Issue 6, row 4: a join token does not give away the name of a node that lives. */
import { status } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it } from 'vitest';
import { nodes } from '../../apimachinery/gen/resources.js';
import type { Node } from '../../apimachinery/gen/types.js';
import { silentLogger } from '../../platform/log.js';
import { createSigningRequest, requestKeyDigest } from '../../platform/pki/x509.js';
import { judgeKey, keyAnnotation, NodeKeys } from './node-keys.js';
import { register } from './registration.js';
import { testApi, type TestApi } from './test-cluster.js';

let api: TestApi;
let left: number;
beforeEach(() => {
  api = testApi();
  left = 3;
});

const host = () => createSigningRequest({ commonName: 'whoever' });

function join(nodeName: string, csr: string, token = 'good') {
  return register(
    { nodeName, csr, token },
    {
      tokens: {
        find: (text) => Promise.resolve(text === 'good' ? { spend: () => Promise.resolve(left-- > 0) } : undefined),
      },
      keys: new NodeKeys(api.client),
      members: { endpoints: () => ['m:1'] },
      logger: silentLogger,
      certificates: {
        signNodeCertificate: (_csr, name) => Promise.resolve({ certificate: `certificate of ${name}`, ca: 'ca' }),
        signServingCertificate: () => Promise.reject(new Error('not here')),
        reservedNames: () => ['kubernetes', 'm1', 'localhost'],
      },
    },
  );
}

describe('joining', () => {
  it('makes the Node, with the key on record', async () => {
    const { request } = await host();
    expect(await join('w1', request)).toEqual({ certificate: 'certificate of w1', ca: 'ca', endpoints: ['m:1'] });
    expect(judgeKey(await api.client.get<Node>(nodes, { name: 'w1' }), await requestKeyDigest(request))).toBe('own');
  });

  it('refuses a name in use to another key, and spends nothing', async () => {
    await join('w1', (await host()).request);
    const before = left;
    await expect(join('w1', (await host()).request)).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      message: expect.stringContaining('kubectl delete node w1') as string,
    });
    expect(left).toBe(before);
  });

  it('refuses the name of a node from before keys were recorded', async () => {
    await api.client.create<Node>(nodes, { metadata: { name: 'old' } });
    await expect(join('old', (await host()).request)).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
  });

  it('takes the host that holds the key back, and spends nothing', async () => {
    const first = await host();
    await join('w1', first.request);
    left = 0;
    const again = await createSigningRequest({ commonName: 'whoever' }, { privateKey: first.privateKey });
    expect(await join('w1', again.request)).toMatchObject({ certificate: 'certificate of w1' });
  });

  it('gives the name to another once the Node is deleted', async () => {
    await join('w1', (await host()).request);
    await api.client.delete(nodes, { name: 'w1' });
    expect(await join('w1', (await host()).request)).toMatchObject({ certificate: 'certificate of w1' });
  });

  it('gives it to one of two that come at once', async () => {
    const requests = await Promise.all([host(), host()]);
    const results = await Promise.allSettled(requests.map(({ request }) => join('w1', request)));
    expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('as often as the token says', async () => {
    left = 1;
    await join('w1', (await host()).request);
    await expect(join('w2', (await host()).request)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    expect((await api.client.list<Node>(nodes)).items.map((node) => node.metadata?.name)).toEqual(['w1']);
  });

  it.each([
    ['kubernetes', status.PERMISSION_DENIED],
    ['m1', status.PERMISSION_DENIED],
    ['localhost', status.PERMISSION_DENIED],
    ['', status.INVALID_ARGUMENT],
    ['W1', status.INVALID_ARGUMENT],
    ['-a', status.INVALID_ARGUMENT],
    ['a/b', status.INVALID_ARGUMENT],
    ['a'.repeat(254), status.INVALID_ARGUMENT],
  ])('refuses the name %j', async (name, code) => {
    await expect(join(name, (await host()).request)).rejects.toMatchObject({ code });
  });

  it('asks for the token before it speaks of names', async () => {
    await join('w1', (await host()).request);
    await expect(join('w1', (await host()).request, 'bad')).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  });

  it('refuses a request that is none', async () => {
    await expect(join('w1', 'garbage')).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe('NodeKeys', () => {
  it('lets a worker come with its old key until it has the new certificate, and no longer', async () => {
    const keys = new NodeKeys(api.client);
    await keys.claim('w1', 'a');
    await keys.change('w1', 'a', 'b');
    const judged = async (key: string) => judgeKey(await api.client.get<Node>(nodes, { name: 'w1' }), key);
    expect([await judged('a'), await judged('b'), await judged('c')]).toEqual(['own', 'own', 'foreign']);
    await keys.change('w1', 'b', 'c');
    expect([await judged('a'), await judged('b'), await judged('c')]).toEqual(['foreign', 'own', 'own']);
    await expect(keys.change('w1', 'a', 'd')).rejects.toThrow('belongs to the cluster already');
  });

  it('judges nothing where nothing is recorded', () => {
    expect(judgeKey(undefined, 'a')).toBe('unrecorded');
    expect(judgeKey({ metadata: { name: 'w' } }, 'a')).toBe('unrecorded');
    expect(judgeKey({ metadata: { name: 'w', annotations: keyAnnotation('b') } }, 'a')).toBe('foreign');
  });
});
