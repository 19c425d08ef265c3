import { expect, it } from 'vitest';
import { calledAs, shellWord } from './called-as.js';

it.each([
  ['/usr/local/bin/navarch', '/home/ada', 'navarch'],
  ['/home/ada/shop/node_modules/.bin/navarch', '/home/ada/shop', 'npx navarch'],
  ['/home/ada/navarch/dist/cli/main.js', '/home/ada/navarch', 'node dist/cli/main.js'],
  ['/home/ada/navarch/dist/cli/main.js', '/home/ada/navarch/dist/cli', 'node main.js'],
  ['/home/ada/navarch/dist/cli/main.js', '/home/ada/shop', 'node /home/ada/navarch/dist/cli/main.js'],
  ['/home/ada/my clone/dist/cli/main.js', '/home/ada', "node 'my clone/dist/cli/main.js'"],
])('%s, in %s, is called again as %s', (script, cwd, command) => expect(calledAs(script, cwd)).toBe(command));

it('leaves a plain word plain, and makes one of anything else', () => {
  expect(shellWord('/var/lib/navarch')).toBe('/var/lib/navarch');
  expect(shellWord("it's $HOME")).toBe(String.raw`'it'\''s $HOME'`);
  expect(shellWord('')).toBe("''");
});
