/** Preloaded by main.ts into the process of a mutant: `node --import register.js main.js`. */
import { register } from 'node:module';

register('./hook.js', import.meta.url, { data: process.env['NAVARCH_SIM_MUTANT'] ?? '' });
