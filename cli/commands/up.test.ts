import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addUpCommands } from './up.js';

it('down understands what up does, and explains what concerns it', () => {
  const program = new Command();
  addUpCommands(program);
  const command = (name: string) =>
    program.commands.find((one) => one.name() === name) ?? expect.fail(`there is no ${name}`);
  const [up, down] = [command('up'), command('down')];
  const flags = ({ options }: Command) => options.map(({ flags: words }) => words);
  expect(flags(down).toSorted()).toEqual([...flags(up), '--purge'].toSorted());
  const shown = down.helpInformation();
  for (const flag of ['--data-dir', '--purge']) expect(shown).toContain(flag);
  expect(shown).not.toContain('--members');
});
