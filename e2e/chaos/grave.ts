/**
 * Faults against a member's data or membership, while the others are well: its files rot, its directory is put back to
 * an older state, it is removed and another joins in its place. Each is done with the commands that docs/members.md
 * gives to operators, and ends with three members that vote.
 */
import { closeSync, cpSync, existsSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { until } from '../lib/until.js';
import { PATIENCE_MS, type Fleet, type Member } from './fleet.js';
import type { Verdict } from './verdict.js';

const FENCED = 3;
/** Peers write down once a second what a member has acknowledged. */
const NOTED_MS = 3000;
/** In which a member that returns is killed. */
const RETURN_MS = 3000;
/** Overwritten in each file. */
const DAMAGE_BYTES = 4096;

/** Ends by itself, with a code and what it said since `from`. */
async function refusal(
  member: Member,
  from: number,
): Promise<{ readonly code: number; readonly said: string } | undefined> {
  const ready = /"ready"/;
  return until(
    `${member.name} to refuse its data or to start`,
    () => {
      const said = member.logSince(from);
      const code = member.process?.code;
      if (code !== undefined) return { code, said };
      return ready.test(said) ? { code: 0, said } : undefined;
    },
    { timeout_ms: PATIENCE_MS },
  ).then((end) => (end.code === 0 ? undefined : end));
}

async function mustSucceed(fleet: Fleet, verdict: Verdict, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await fleet.navarch(...args);
  if (code !== 0) verdict.violated(`navarch ${args.slice(0, 2).join(' ')} ended with ${code}: ${stderr.slice(-800)}`);
  return stdout.trim();
}

function damage(folder: string, random: Random): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.(log|ldb)$/.test(name) && statSync(join(folder, name)).size > 0,
  );
  for (const name of names) {
    const path = join(folder, name);
    const { size } = statSync(path);
    const length = Math.min(DAMAGE_BYTES, Math.ceil(size / 2));
    const file = openSync(path, 'r+');
    writeSync(file, random.bytes(length), 0, length, Math.floor((size - length) * random.next()));
    closeSync(file);
  }
  return names.length;
}

/** Starts it, and now and then kills it on its way; in the end it votes again. */
async function comeBack(fleet: Fleet, member: Member, random: Random): Promise<void> {
  member.start();
  for (let kills = random.int(3); kills > 0; kills--) {
    await systemClock.sleep(RETURN_MS * random.next());
    if (!member.isRunning) break;
    await member.end('SIGKILL');
    member.start();
  }
  await fleet.whole();
}

/** The damaged member says so and does not start; after `navarch member repair` it is rebuilt by the others. */
export async function corruptAndRepair(
  fleet: Fleet,
  member: Member,
  { random, verdict }: { readonly random: Random; readonly verdict: Verdict },
): Promise<void> {
  await fleet.whole();
  await member.end('SIGKILL');
  const where = random.int(2) === 0 ? join(member.dataDir, 'raft', 'log') : join(member.dataDir, 'state');
  const count = damage(where, random);
  member.note(`${count} files damaged in ${where}`);
  const from = member.logEnd();
  member.start();
  const end = await refusal(member, from);
  if (end === undefined) {
    // It may be: what was hit is read no more, or an older state is left that is whole, and the log holds the rest. If
    // it is not whole, the hashes in the end tell.
    member.note('starts in spite of the damage');
    return;
  }
  if (end.code !== 1 || !end.said.includes('navarch member repair')) {
    verdict.violated(
      `${member.name} with damaged files in ${where} ended with ${end.code} and does not say what to do: ${end.said.slice(-800)}`,
    );
  }
  await until('the others to have a leader', async () => (await fleet.leader()) !== undefined, {
    timeout_ms: PATIENCE_MS,
  });
  await mustSucceed(fleet, verdict, ['member', 'repair', '--data-dir', member.dataDir]);
  for (const name of readdirSync(member.dataDir).filter((one) => one.startsWith('aside-')))
    rmSync(join(member.dataDir, name), { recursive: true });
  await comeBack(fleet, member, random);
}

/**
 * A copy made while the member was down, put back after it went on: it has forgotten what it acknowledged, and must not
 * vote.
 */
export async function putBackOldDirectory(fleet: Fleet, member: Member, verdict: Verdict): Promise<void> {
  await fleet.whole();
  await member.end('SIGKILL');
  const [old, newest] = [join(member.home, 'old'), join(member.home, 'newest')];
  cpSync(member.dataDir, old, { recursive: true });
  rmSync(join(old, 'reserve'), { force: true });
  member.start();
  await fleet.whole();
  const before = (await member.status())?.raftAppliedIndex ?? 0;
  await until(
    `${member.name} to acknowledge more`,
    async () => ((await member.status())?.raftAppliedIndex ?? 0) > before + 20,
    { timeout_ms: PATIENCE_MS },
  );
  await systemClock.sleep(NOTED_MS);
  await member.end('SIGKILL');
  renameSync(member.dataDir, newest);
  renameSync(old, member.dataDir);
  const from = member.logEnd();
  member.start();
  const end = await until(
    `${member.name} to refuse its old data`,
    () => {
      const { process } = member;
      return process?.code === undefined ? undefined : { code: process.code, said: member.logSince(from) };
    },
    { timeout_ms: PATIENCE_MS },
  ).catch((error: unknown) =>
    verdict.violated(`an old copy of ${member.name}'s data directory is not refused: ${String(error)}`),
  );
  if (end.code !== FENCED)
    verdict.violated(
      `${member.name} with an old copy of its data directory ended with ${end.code}, not ${FENCED}: ${end.said.slice(-800)}`,
    );
  rmSync(member.dataDir, { recursive: true });
  renameSync(newest, member.dataDir);
  member.start();
  await fleet.whole();
}

/** Removed while it runs; its directory is emptied, and it joins under the same name and address. */
export async function replaceMember(
  fleet: Fleet,
  member: Member,
  { random, verdict }: { readonly random: Random; readonly verdict: Verdict },
): Promise<void> {
  await fleet.whole();
  const other = fleet.members.find((one) => one !== member) as Member;
  const token = await mustSucceed(fleet, verdict, ['token', '--member', '--pki-dir', other.pkiDir]);
  await mustSucceed(fleet, verdict, ['member', 'remove', member.name, '--data-dir', other.dataDir]);
  const end = await until(`${member.name} to end after it was removed`, () => member.process?.code, {
    timeout_ms: PATIENCE_MS,
  });
  if (end !== FENCED)
    verdict.violated(
      `${member.name} was removed and ended with ${end}, not ${FENCED}: ${member.logSince(0).slice(-800)}`,
    );
  if (existsSync(member.dataDir)) rmSync(member.dataDir, { recursive: true });
  rmSync(member.pkiDir, { recursive: true });
  const others = fleet.members.filter((one) => one !== member).map(({ endpoint }) => endpoint);
  member.flags = ['--join', others.join(','), '--token', token];
  await comeBack(fleet, member, random);
  member.flags = [];
}
