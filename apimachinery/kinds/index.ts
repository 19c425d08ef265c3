/**
 * What Kubernetes v1.36 knows about its built-in kinds beyond their schemas: defaults, validation, strategies, tables,
 * names, field selectors. One folder for each group (core is split by kind), `lib/` for what they share, `printers/`
 * for the tables. In: objects as JSON values, after schema validation but not trusted. Out: the table `kindExtras`,
 * which the scheme joins with the compiled facts, and functions on pods that other rooms import (`pod/`, `lib/`).
 * Nothing here does I/O, reads a clock or knows a store; nothing but a prepare or defaults function changes an object;
 * nothing throws because of what an object holds.
 */
import { extensionExtras } from './admission/index.js';
import { appsExtras } from './apps/index.js';
import { autoscalingExtras } from './autoscaling/index.js';
import { batchExtras } from './batch/index.js';
import { coreExtras } from './core/index.js';
import type { ExtrasTable } from './extras.js';
import { networkingExtras } from './networking/index.js';
import { policyExtras } from './policy/index.js';
import { storageExtras } from './storage/index.js';

export type { ExtrasKey, ExtrasTable } from './extras.js';

/** The extras of all built-in kinds, joined from one table for each group. */
export const kindExtras: ExtrasTable = {
  ...coreExtras,
  ...appsExtras,
  ...batchExtras,
  ...networkingExtras,
  ...autoscalingExtras,
  ...policyExtras,
  ...extensionExtras,
  ...storageExtras,
};
