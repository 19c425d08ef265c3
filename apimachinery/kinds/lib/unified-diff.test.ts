/** The text of a change, as kube-apiserver v1.36 shows it of immutable fields (issue 6, row 42). */
import { expect, it } from 'vitest';
import { unifiedDiff } from './unified-diff.js';

it('shows what changed with three lines around it', () => {
  const before = { a: 1, b: 2, c: 3, d: 4, e: 5, f: [1], g: '<' };
  expect(unifiedDiff(before, { ...before, e: 6 })).toBe(
    '@@ -3,7 +3,7 @@\n  "b": 2,\n  "c": 3,\n  "d": 4,\n- "e": 5,\n+ "e": 6,\n  "f": [\n   1\n  ],\n',
  );
  expect(unifiedDiff(before, { ...before, f: [1, 2] })).toBe(
    '@@ -5,7 +5,8 @@\n  "d": 4,\n  "e": 5,\n  "f": [\n-  1\n+  1,\n+  2\n  ],\n  "g": "\\u003c"\n }\n',
  );
});

it('tells changes that are far apart one after the other, and nothing of equal or huge objects', () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i]));
  expect(unifiedDiff(many, { ...many, k2: 'x', k30: 'y' }).match(/@@ .* @@/g)).toEqual([
    '@@ -1,7 +1,7 @@',
    '@@ -29,7 +29,7 @@',
  ]);
  expect(unifiedDiff(many, many)).toBe('');
  expect(
    unifiedDiff(
      Array.from({ length: 2000 }, () => 1),
      [],
    ),
  ).toBe('');
});
