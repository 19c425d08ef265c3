import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeId } from '../contract.js';
import { PromiseBook } from './promise-book.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'promises-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('remembers over a restart', async () => {
  const id = (2 ** 53 - 1) as NodeId;
  await new PromiseBook(directory).write([[id, { term: 3, index: 7 }]]);
  expect(new PromiseBook(directory).read()).toEqual([[id, { term: 3, index: 7 }]]);
  expect(readdirSync(directory)).toEqual(['promises.json']);
});

it.each(['', '{', '{}', '[1]', '[[1,2]]', '[["1",2,3]]', '[[1,-2,3]]', 'null'])(
  'takes %j for an empty book',
  (text) => {
    writeFileSync(join(directory, 'promises.json'), text);
    expect(new PromiseBook(directory).read()).toEqual([]);
  },
);

it('does not mind that it cannot write', async () => {
  await new PromiseBook(join(directory, 'not there')).write([[1 as NodeId, { term: 1, index: 1 }]]);
  expect(readdirSync(directory)).toEqual([]);
});
