import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deployments } from '../../../apimachinery/gen/resources.js';
import type { Deployment } from '../../../apimachinery/gen/types.js';
import { createTestContext } from '../testing.js';
import { deleteSame, writeStatus } from './writes.js';

let t: ReturnType<typeof createTestContext>;
let object: Deployment;
beforeEach(async () => {
  t = createTestContext();
  const given: Deployment = { metadata: { name: 'web', namespace: 'd' }, status: { replicas: 1 } };
  object = await t.client.updateStatus(deployments, {
    ...(await t.client.create(deployments, given)),
    status: { replicas: 1 },
  });
  t.service.clearCalls();
});
afterEach(() => t.stop());

const ref = { namespace: 'd', name: 'web' };
const { signal } = new AbortController();
const write = (replicas: number, retry = false) =>
  writeStatus(t.client, deployments, { object, status: { replicas }, signal, retry });
const label = () =>
  t.client.patch(deployments, ref, { type: 'merge', body: { metadata: { labels: { changed: 'yes' } } } });
const stored = () => t.client.get(deployments, ref);
async function makeAgain(): Promise<void> {
  await t.client.delete(deployments, ref);
  await t.client.create(deployments, { metadata: { ...ref } });
}

describe('a status', () => {
  it('is written when it differs', async () => {
    expect([(await write(1))?.status, t.service.calls]).toEqual([{ replicas: 1 }, []]);
    expect([(await write(2))?.status, (await stored()).status]).toEqual([{ replicas: 2 }, { replicas: 2 }]);
  });

  it('meets a newer version: thrown, or written once more onto it by the only one who writes it', async () => {
    await label();
    await expect(write(2)).rejects.toMatchObject({ status: { reason: 'Conflict' } });
    const written = await write(2, true);
    expect([written?.status, written?.metadata?.labels]).toEqual([{ replicas: 2 }, { changed: 'yes' }]);
  });

  it('is for this very object: not for another one of its name, nor for none', async () => {
    await makeAgain();
    expect([await write(2, true), (await stored()).status]).toEqual([undefined, undefined]);
    await t.client.delete(deployments, ref);
    expect([await write(2), await write(2, true)]).toEqual([undefined, undefined]);
  });
});

it('a deletion is for this very object, and no fault when it is gone', async () => {
  await makeAgain();
  await deleteSame(t.client, deployments, { object, signal });
  const again = await stored();
  await deleteSame(t.client, deployments, { object: again, signal });
  await deleteSame(t.client, deployments, { object: again, signal });
  expect((await t.client.list(deployments)).items).toEqual([]);
});
