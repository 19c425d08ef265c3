import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { missing } from '../lib/requirements.js';
import { removeLeftovers } from './one-way-cut.js';

const NFT = '/usr/sbin/nft';
const lacking = missing('what runs that were killed have left', ['root']);
const dead = spawnSync('true').pid;
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'navarch-groups-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('takes away the empty groups of runs that are gone, and no others', () => {
  const [empty, inhabited, own, foreign] = [
    `navarch-bench-${dead}-0`,
    `navarch-bench-${dead}-1`,
    `navarch-bench-${process.pid}-0`,
    `other-${dead}-0`,
  ];
  for (const group of [empty, join(inhabited, 'somebody'), own, foreign])
    mkdirSync(join(root, group), { recursive: true });
  removeLeftovers(root);
  expect(readdirSync(root).toSorted()).toEqual([inhabited, own, foreign].toSorted());
});

it.skipIf(lacking.length > 0 || !existsSync(NFT))('takes away the tables of runs that are gone, and no others', () => {
  const tables = () => execFileSync(NFT, ['list', 'tables', 'inet'], { encoding: 'utf8' });
  const [left, own] = [`navarch_bench_${dead}`, `navarch_bench_${process.pid}`];
  for (const table of [left, own]) execFileSync(NFT, ['add', 'table', 'inet', table]);
  try {
    removeLeftovers(root);
    expect(tables()).not.toContain(left);
    expect(tables()).toContain(own);
  } finally {
    execFileSync(NFT, ['delete', 'table', 'inet', own]);
  }
});
