/** ResourceSlices: what is filled in when they are written, and what of them is off in v1.36. */
import type { StrategyContext } from '../../kind.js';
import { strategyOf } from '../lib/strategy.js';
import { at, children, entries, fill, isRec, type Rec } from '../lib/value.js';
import { validateResourceSlice } from './validate-slice.js';

const LISTS = ['bools', 'ints', 'strings', 'versions'];

/** DRAListTypeAttributes and DRANodeAllocatableResources. */
function dropDisabled(device: Rec): void {
  delete device['nodeAllocatableResourceMappings'];
  for (const [, attribute] of entries(device['attributes']))
    if (isRec(attribute)) for (const name of LISTS) delete attribute[name];
}

/** A taint of a device takes the time at which it is first written, in whole seconds. */
function prepare(slice: Rec, { now_ms }: StrategyContext): void {
  const now = new Date(now_ms).toISOString().replace(/\.\d+Z$/, 'Z');
  for (const device of children(at(slice, 'spec'), 'devices')) {
    dropDisabled(device);
    for (const taint of children(device, 'taints')) fill(taint, 'timeAdded', now);
  }
}

export const resourceSliceStrategy = strategyOf({
  generation: true,
  returnsDeleted: true,
  validatesAll: true,
  validate: validateResourceSlice,
  create: prepare,
  update: (slice, _old, context) => prepare(slice, context),
});
