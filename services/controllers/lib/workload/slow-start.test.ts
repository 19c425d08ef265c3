/** k8s.io/kubernetes/pkg/controller/replicaset slowStartBatch. */
import { expect, it } from 'vitest';
import { slowStart } from './slow-start.js';

async function run(count: number, fails: (index: number) => boolean) {
  const asked: number[] = [];
  let [running, most] = [0, 0];
  const batches: number[] = [];
  const { made, failure } = await slowStart(
    Array.from({ length: count }, (_, i) => i),
    async (i) => {
      if (running === 0) batches.push(0);
      asked.push(i);
      batches[batches.length - 1] = (batches.at(-1) ?? 0) + 1;
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      if (fails(i)) throw new Error(`refused ${i}`);
      return i;
    },
  );
  return { asked, batches, made: [...made], failure: failure?.message };
}

it.each<[number, number[]]>([
  [0, []],
  [1, [1]],
  [2, [1, 1]],
  [6, [1, 2, 3]],
  [7, [1, 2, 4]],
  [20, [1, 2, 4, 8, 5]],
])('%i drafts are made in batches of %j, in their order', async (count, batches) => {
  const found = await run(count, () => false);
  expect(found.batches).toEqual(batches);
  expect(found.made).toEqual(Array.from({ length: count }, (_, i) => i));
  expect([found.asked.length, found.failure]).toEqual([count, undefined]);
});

it.each<[string, number[], number, number[]]>([
  ['the first', [0], 1, []],
  ['one in the middle of a batch', [1], 3, [0, 2]],
  ['all of a batch', [3, 4, 5, 6], 7, [0, 1, 2]],
])('when %s fails, its batch ends and no other begins', async (_, ...[failing, asked, made]) => {
  const found = await run(100, (i) => failing.includes(i));
  expect([found.asked.length, found.made, found.failure]).toEqual([asked, made, `refused ${failing[0]}`]);
});
