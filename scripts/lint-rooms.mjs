// The import rule of the architecture, checked: which room may import which, no cycles of imports between files or
// between folders, and time and chance from platform/ alone. Prints one line for each breach and exits 1.
import { importCycles, importsOf, isTest, sourceFiles, textOf } from './lib/imports.mjs';

const BELOW_SDK = ['platform', 'proto', 'apimachinery', 'sdk'];

/** Room (longest prefix wins) -> rooms it may import besides itself. */
const MAY_IMPORT = {
  platform: ['proto'],
  proto: [],
  'raft/core': ['platform/assert'],
  raft: ['platform', 'proto'],
  // The simulator runs whole members of the store; nothing else in raft/ may know of it, or of the store (SEALED
  // below).
  'raft/sim': ['platform', 'proto', 'raft', 'services/store'],
  'services/store': ['platform', 'proto', 'raft'],
  apimachinery: ['platform', 'proto'],
  sdk: ['platform', 'proto', 'apimachinery'],
  'services/apiserver': ['platform', 'proto', 'apimachinery', 'services/store'],
  'services/scheduler': BELOW_SDK,
  'services/controllers': BELOW_SDK,
  'services/cloud': BELOW_SDK,
  'services/agent': BELOW_SDK,
  'services/overlay': BELOW_SDK,
  'services/proxy': BELOW_SDK,
  'services/dns': BELOW_SDK,
  'services/nodelink': BELOW_SDK,
  'services/dashboard': BELOW_SDK,
  // What a server is made of: it composes the other services, and nobody but commands and testing composes it.
  'services/server': [...BELOW_SDK, 'raft', 'services'],
  cli: ['*'],
  testing: ['*'],
  e2e: [
    'platform',
    'proto',
    'sdk',
    'testing',
    'apimachinery',
    'raft/index.ts',
    'raft/sim/check/index.ts',
    'services/store/index.ts',
  ],
};
const ROOMS = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
const inside = (path, prefix) => path === prefix || path.startsWith(`${prefix}/`) || path.startsWith(`${prefix}.`);
const roomOf = (path) => ROOMS.find((room) => inside(path, room));

/**
 * Rooms that nobody imports from outside, not even the room around them, but for these entries: e2e's histories have
 * the same judges.
 */
const SEALED = ['raft/sim'];
const UNSEALED = { 'raft/sim/check/index.ts': ['e2e'] };

/** Why `file` of `room` may not import `target`; undefined when it may. */
function refusalOf(file, room, target) {
  const targetRoom = roomOf(target);
  if (targetRoom === room) return undefined;
  if (SEALED.includes(targetRoom) && UNSEALED[target]?.includes(room) !== true)
    return `${file}: nothing may import ${target}`;
  // raft's other rooms may import raft/core, and so for each room inside a room.
  if (targetRoom !== undefined && inside(targetRoom, room)) return undefined;
  const allowed = MAY_IMPORT[room];
  if (allowed.includes('*') || allowed.some((prefix) => inside(target, prefix.replace(/\.ts$/, '')))) return undefined;
  return `${file}: ${room} may not import ${target}`;
}

/** Tests may import what they like. */
function importBreaches(file, room, text) {
  if (isTest(file)) return [];
  return importsOf(file, text).flatMap(({ specifier, target }) => {
    if (target !== undefined) return refusalOf(file, room, target) ?? [];
    return room === 'raft/core'
      ? `${file}: raft/core imports ${specifier}; it may import itself and platform/assert`
      : [];
  });
}

const TIME_OR_CHANCE =
  /\b(Date\.now\(|Math\.random\(|performance\.now\(|new Date\(\)|process\.hrtime|randomUUID\(|randomBytes\()/;

function chanceBreaches(file, room, text) {
  if (isTest(file) || room === 'platform' || room === 'e2e') return [];
  return text.split('\n').flatMap((line, index) => {
    const found = /^\s*(\/\/|\*)/.test(line) ? null : TIME_OR_CHANCE.exec(line);
    return found === null ? [] : `${file}:${index + 1}: ${found[1]} outside platform/; take a Clock or a Random`;
  });
}

function breachesOf(file) {
  const room = roomOf(file);
  const text = textOf(file);
  if (room === undefined) return [`${file}: belongs to no room`];
  return text === undefined ? [] : [...importBreaches(file, room, text), ...chanceBreaches(file, room, text)];
}

function cycleBreaches(files) {
  const cycles = importCycles(files);
  return ['files', 'folders'].flatMap((kind) =>
    cycles[kind].map((group) => `a cycle of imports between ${kind}: ${group.join(', ')}`),
  );
}

const files = sourceFiles();
const breaches = [...files.flatMap(breachesOf), ...cycleBreaches(files)];
for (const breach of breaches) console.error(breach);
if (breaches.length > 0) process.exit(1);
console.log(`lint-rooms: ${files.length} files keep the import rule`);
