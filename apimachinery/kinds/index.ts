/** The extras of all built-in kinds, joined from one table for each group. */
import type { ExtrasTable } from './extras.js';

export type { ExtrasKey, ExtrasTable, KindExtras } from './extras.js';

export const kindExtras: ExtrasTable = {};
