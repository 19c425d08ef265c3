import { expect, it } from 'vitest';
import { addSample, median, renderTable, type Samples } from './table.js';

it('takes the middle of what was measured', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([]), median(undefined)]).toEqual([
    2,
    2.5,
    undefined,
    undefined,
  ]);
});

it('says where an aim is met, where not, and where there is nothing to compare', () => {
  const ours: Samples = new Map();
  const theirs: Samples = new Map();
  addSample(ours, 'rate', 130);
  addSample(theirs, 'rate', 100);
  addSample(ours, 'delay', 3);
  addSample(theirs, 'delay', 2);
  addSample(ours, 'alone', 1);
  const lines = renderTable(
    [
      { name: 'rate', better: 'more', aim: 1.25 },
      { name: 'delay', better: 'less', aim: 1 },
      { name: 'alone', better: 'less', aim: 1 },
      { name: 'absent', better: 'less', aim: 1 },
    ],
    ours,
    theirs,
  )
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  expect(lines.map((line) => line.at(-1))).toEqual(['met', 'yes', 'no', '-']);
  expect(lines[1]).toEqual(['rate', '130', '100', '1.30', '>= 1.25', 'yes']);
});
