// Which file imports which, read from the sources of this repository.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, normalize } from 'node:path';

const IMPORT = /(?:^|\n)\s*(?:(?:import|export)\s+(?:type\s+)?[\w$*\s{},]+?\s+from|import)\s*\(?\s*['"]([^'"]+)['"]/g;

/** TypeScript files inside rooms, tracked or new, that exist. */
export function sourceFiles() {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], { encoding: 'utf8' });
  return listed.split('\n').filter((file) => file.includes('/'));
}

/** The text of a file; undefined when it has been deleted and the deletion is not committed. */
export function textOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

export const isTest = (file) => file.endsWith('.test.ts');

/** Specifiers as written, and for relative ones the file that is meant. */
export function importsOf(file, text) {
  return [...text.matchAll(IMPORT)].map(([, specifier]) => ({
    specifier,
    target: specifier.startsWith('.') ? normalize(`${dirname(file)}/${specifier}`).replace(/\.js$/, '.ts') : undefined,
  }));
}

/**
 * Nodes that reach themselves, as groups (strongly connected components, Tarjan 1972). `graph`: Map of node to Set of
 * nodes. A node with an edge to itself alone is no group.
 */
function cyclesOf(graph) {
  const indexes = new Map();
  const lows = new Map();
  const stack = [];
  const onStack = new Set();
  const groups = [];
  const visit = (node) => {
    indexes.set(node, indexes.size);
    lows.set(node, indexes.get(node));
    stack.push(node);
    onStack.add(node);
    for (const next of graph.get(node) ?? []) {
      if (!indexes.has(next)) visit(next);
      if (onStack.has(next)) lows.set(node, Math.min(lows.get(node), lows.get(next)));
    }
    if (lows.get(node) !== indexes.get(node)) return;
    const group = stack.splice(stack.indexOf(node));
    for (const member of group) onStack.delete(member);
    if (group.length > 1) groups.push(group.sort((a, b) => (a < b ? -1 : 1)));
  };
  for (const node of graph.keys()) if (!indexes.has(node)) visit(node);
  return groups;
}

/**
 * A folder without its index.ts, which composes what lies in the folder and below it, and counts as a place of its own.
 */
const placeOf = (file) => (file.endsWith('/index.ts') ? file : dirname(file));

/** `files` and `folders`: cycles of imports, tests aside. */
export function importCycles(files = sourceFiles()) {
  const between = { files: new Map(), folders: new Map() };
  const add = (graph, from, to) => {
    if (!graph.has(from)) graph.set(from, new Set());
    if (from !== to) graph.get(from).add(to);
  };
  for (const file of files.filter((one) => !isTest(one))) {
    for (const { target } of importsOf(file, textOf(file) ?? '')) {
      if (target === undefined) continue;
      add(between.files, file, target);
      add(between.folders, placeOf(file), placeOf(target));
    }
  }
  return { files: cyclesOf(between.files), folders: cyclesOf(between.folders) };
}
