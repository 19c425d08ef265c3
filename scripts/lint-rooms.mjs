// The import rule of the architecture, checked: which room may import which, and that time and chance come from
// platform/ alone. Prints one line for each breach and exits 1.
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, normalize } from 'node:path';

const BELOW_SDK = ['platform', 'proto', 'apimachinery', 'sdk'];

/** Room (longest prefix wins) -> rooms it may import besides itself. */
const MAY_IMPORT = {
  platform: ['proto'],
  proto: [],
  'raft/core': ['platform/assert'],
  raft: ['platform', 'proto'],
  // The simulator runs whole members of the store; nothing else in raft/ may know of it, or of the store (SEALED below).
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
  cli: ['*'],
  testing: ['*'],
  e2e: ['platform', 'proto', 'sdk', 'testing', 'apimachinery', 'raft/index.ts', 'raft/sim/check/index.ts', 'services/store/index.ts'],
};
const ROOMS = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
const inside = (path, prefix) => path === prefix || path.startsWith(`${prefix}/`) || path.startsWith(`${prefix}.`);
const roomOf = (path) => ROOMS.find((room) => inside(path, room));

/** Rooms that nobody imports from outside, not even the room around them, but for these entries: e2e's histories have the same judges. */
const SEALED = ['raft/sim'];
const UNSEALED = { 'raft/sim/check/index.ts': ['e2e'] };

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], { encoding: 'utf8' })
  .split('\n').filter((f) => f !== '' && f.includes('/'));
const breaches = [];

for (const file of files) {
  const room = roomOf(file);
  if (room === undefined) { breaches.push(`${file}: belongs to no room`); continue; }
  let text;
  try { text = readFileSync(file, 'utf8'); } catch { continue; }
  const isTest = file.endsWith('.test.ts');
  for (const match of text.matchAll(/(?:^|\n)\s*(?:(?:import|export)\s+(?:type\s+)?[\w$*\s{},]+?\s+from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    const specifier = match[1];
    if (!specifier.startsWith('.')) {
      if (room === 'raft/core' && !isTest) breaches.push(`${file}: raft/core imports ${specifier}; it may import itself and platform/assert`);
      continue;
    }
    const target = normalize(`${dirname(file)}/${specifier}`).replace(/\.js$/, '.ts');
    const targetRoom = roomOf(target);
    if (targetRoom === room || isTest) continue;
    const allowed = MAY_IMPORT[room];
    if (SEALED.includes(targetRoom) && UNSEALED[target]?.includes(room) !== true) {
      breaches.push(`${file}: nothing may import ${target}`);
      continue;
    }
    // raft's other rooms may import raft/core, and so for each room inside a room.
    if (targetRoom !== undefined && inside(targetRoom, room)) continue;
    if (!allowed.includes('*') && !allowed.some((prefix) => inside(target, prefix.replace(/\.ts$/, '')) || target === prefix)) {
      breaches.push(`${file}: ${room} may not import ${target}`);
    }
  }
  if (!isTest && room !== 'platform' && room !== 'e2e') {
    for (const [index, line] of text.split('\n').entries()) {
      if (/^\s*(\/\/|\*)/.test(line)) continue;
      const found = /\b(Date\.now\(|Math\.random\(|performance\.now\(|new Date\(\)|process\.hrtime|randomUUID\(|randomBytes\()/.exec(line);
      if (found !== null) breaches.push(`${file}:${index + 1}: ${found[1]} outside platform/; take a Clock or a Random`);
    }
  }
}

for (const breach of breaches) console.error(breach);
if (breaches.length > 0) process.exit(1);
console.log(`lint-rooms: ${files.length} files keep the import rule`);
