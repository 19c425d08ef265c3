/** Changes one module while it is loaded. Runs on the loader's own thread. */
import type { LoadHook } from 'node:module';
import { MUTANTS } from './mutants.js';
import type { Mutant } from './mutants.js';

let chosen: Mutant | undefined;

export function initialize(name: string): void {
  chosen = MUTANTS.find((mutant) => mutant.name === name);
  if (chosen === undefined) throw new Error(`there is no mutant ${name}`);
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (chosen === undefined || !url.endsWith(`/${chosen.file}.js`)) return loaded;
  const source = Buffer.from(loaded.source as Uint8Array).toString('utf8');
  if (!chosen.find.test(source)) throw new Error(`mutant ${chosen.name} finds nothing to change in ${chosen.file}`);
  return { ...loaded, source: source.replace(chosen.find, () => chosen?.replace ?? '') };
};
