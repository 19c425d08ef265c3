/** PrioritySort: the more important pod first, then the one that came first. */
import type { Plugin } from '../framework/plugin.js';

export const prioritySort: Plugin = {
  name: 'PrioritySort',
  queueSort: (a, b) => b.pod.priority - a.pod.priority || a.added_ms - b.added_ms,
};
