/** The code moves on: a change that finds nothing to change would prove nothing. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MUTANTS } from './mutants.js';

it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
  '%s has its place in the code, once',
  (_, { file, find }) => {
    const source = readFileSync(fileURLToPath(new URL(`../../../${file}.ts`, import.meta.url)), 'utf8');
    expect(source.match(new RegExp(find, 'g'))).toHaveLength(1);
  },
);

it('there are twenty at least, each with a name of its own', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.length).toBeGreaterThanOrEqual(20);
});
