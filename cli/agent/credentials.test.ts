/**
 * Issue 6, row 4, over real TLS: a token joins as often as it says, under free names only, and what was given away is
 * good for nothing.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_JOINERS_GROUP, tokenSecret } from '../../apimachinery/bootstrap-token.js';
import { nodes, secrets } from '../../apimachinery/gen/resources.js';
import type { Node, Secret } from '../../apimachinery/gen/types.js';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { authorityPin } from '../../platform/pki/x509.js';
import { startCluster, type Cluster } from '../../testing/index.js';
import { formatJoinToken } from '../../platform/pki/join-token.js';
import { forgetSecret, secretOf } from '../lib/secret-input.js';
import { WorkerCredentials } from './credentials.js';

let cluster: Cluster;
let directory: string;
beforeAll(async () => {
  cluster = await startCluster({ members: 1, nodes: 1 });
  directory = await mkdtemp(join(tmpdir(), 'join-'));
});
afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

async function token(id: string, uses?: number, groups: readonly string[] = [NODE_JOINERS_GROUP]): Promise<string> {
  const secret = '0123456789abcdef';
  await cluster.client.create<Secret>(
    secrets,
    tokenSecret({
      id,
      secret,
      description: '',
      usages: ['authentication'],
      extraGroups: groups,
      expires_ms: systemClock.now() + 3_600_000,
      uses,
    }),
  );
  return formatJoinToken({
    pin: await authorityPin(cluster.pki.clusterAuthority.certificate),
    kind: 'worker',
    secret: `${id}.${secret}`,
  });
}

/** A host that joins under a name; `at` is its directory. */
async function joined(
  nodeName: string,
  text: string,
  at = `${nodeName}-${Math.round(performance.now())}`,
): Promise<string> {
  const credentials = new WorkerCredentials({
    nodeName,
    directory: join(directory, at),
    endpoints: [cluster.members[0]?.grpc ?? ''],
    token: () => Promise.resolve(text),
    clock: systemClock,
    logger: silentLogger,
  });
  await credentials.start();
  await credentials.stop();
  return credentials.current.pair.certificate;
}

describe('a join token', () => {
  it('does not take over a node that lives', async () => {
    const [name = ''] = cluster.nodes.map((node) => node.name);
    await expect(joined(name, await token('aaaaaa'))).rejects.toThrow('belongs to the cluster already');
    expect(
      (await cluster.client.get<Node>(nodes, { name })).status?.conditions?.find(({ type }) => type === 'Ready')
        ?.status,
    ).toBe('True');
  });

  it('joins one host, and the same host again when its certificate is lost', async () => {
    const text = await token('bbbbbb', 1);
    await joined('h1', text, 'h1');
    await rm(join(directory, 'h1', 'node.crt'));
    await joined('h1', text, 'h1');
    await expect(joined('h2', text)).rejects.toThrow('used up');
    await cluster.client.delete(nodes, { name: 'h1' });
    await expect(joined('h1', text)).rejects.toThrow('used up');
  });

  it('is nothing once it was revoked, and without the group for nodes', async () => {
    const text = await token('cccccc');
    await cluster.client.delete(secrets, { namespace: 'kube-system', name: 'bootstrap-token-cccccc' });
    await expect(joined('h3', text)).rejects.toThrow('join token is wrong');
    await expect(joined('h3', await token('dddddd', undefined, []))).rejects.toThrow('join token is wrong');
  });

  it('does not give away names of the control plane', async () => {
    await expect(joined('localhost', await token('eeeeee'))).rejects.toThrow('a name of the control plane');
  });
});

it('shuts the host out whose name was given to another, while it is connected', async () => {
  const [node] = cluster.nodes;
  const name = node?.name ?? '';
  await node?.stop();
  await cluster.client.delete(nodes, { name });
  await joined(name, await token('ffffff'));
  const record = (await cluster.client.get<Node>(nodes, { name })).metadata?.annotations;
  await node?.start();
  await systemClock.sleep(1_000);
  const found = await cluster.client.get<Node>(nodes, { name });
  expect(found.metadata?.annotations).toMatchObject(record ?? {});
  expect(found.status?.conditions ?? []).toEqual([]);
});

it('is read from a file, which is deleted afterwards', async () => {
  const tokenFile = join(directory, 'token');
  await writeFile(tokenFile, ' text\n');
  expect(await secretOf({ tokenFile })?.()).toBe('text');
  expect(await forgetSecret({ tokenFile })).toBeUndefined();
  await expect(readFile(tokenFile)).rejects.toThrow('ENOENT');
  expect(await forgetSecret({ tokenFile })).toBeUndefined();
  expect(() => secretOf({ tokenFile, token: 'x' })).toThrow('not both');
});
