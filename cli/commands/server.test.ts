import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addServerCommand, parseCompaction } from './server.js';

it('reads how much history is kept', () => {
  expect(parseCompaction('off')).toBeUndefined();
  expect(parseCompaction('15m')).toEqual({ mode: 'periodic', keep_ms: 900_000 });
  expect(parseCompaction('2h')).toEqual({ mode: 'periodic', keep_ms: 7_200_000 });
  expect(parseCompaction('10000')).toEqual({ mode: 'revisions', keep: 10_000 });
  for (const bad of ['', '0', '-1', '1.5h', '15 m', '5d', 'on'])
    expect(() => parseCompaction(bad), bad).toThrow('--compaction must be');
});

/**
 * kube-apiserver's --etcd-compaction-interval: its clients count on it that a list's next pages expire within ten
 * minutes ("API chunking", conformance).
 */
it('keeps five minutes of it unless told otherwise', () => {
  const program = new Command();
  addServerCommand(program);
  const option = program.commands[0]?.options.find(({ long }) => long === '--compaction');
  expect(parseCompaction(String(option?.defaultValue))).toEqual({ mode: 'periodic', keep_ms: 300_000 });
});
