/** `navarch member`: who belongs to the cluster, and how that changes. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { holdProcess, systemClock } from '../../platform/clock.js';
import { systemRandom } from '../../platform/random.js';
import type { Member } from '../../proto/gen/navarch/cluster/v1/cluster.js';
import { resolveAccess, type AccessFlags } from './access.js';
import { UserError } from '../../platform/user-error.js';
import { defaultDataDir } from '../lib/paths.js';
import { askLeader, listMembers, memberNamed, type MemberView } from '../../services/server/cluster/member-calls.js';
import { repairMember } from '../../services/server/membership/repair.js';

const withAccess = (command: Command): Command =>
  command
    .option('--data-dir <directory>', 'of the cluster that `up` started, or of a member', defaultDataDir())
    .option('--endpoints <members>', 'host:port[,host:port] of gRPC listeners')
    .option('--pki-dir <directory>', "the cluster's secrets");

export function addMemberCommands(program: Command): void {
  const member = program
    .command('member')
    .description('members of the control plane: list, remove, promote, transfer leadership, repair');
  withAccess(member.command('list').description('all members, with their role and how far they are'))
    .option('-o, --output <format>', 'table or json', 'table')
    .action(async (flags: AccessFlags & { readonly output: string }) => {
      if (flags.output !== 'table' && flags.output !== 'json')
        throw new UserError(`--output must be table or json, not "${flags.output}"`, 2);
      const { members, views } = await listMembers(await resolveAccess(flags));
      const rows = members.map((one) => rowOf(one, views));
      process.stdout.write(flags.output === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
    });
  withAccess(
    member
      .command('remove <name>')
      .description('take a member out for good, dead or alive; the leader hands over first'),
  ).action((name: string, flags: AccessFlags) =>
    change(name, flags, {
      kind: 'remove',
      done: (one) =>
        `${one} was removed. It does not come back under this identity; its data directory may be deleted.`,
    }),
  );
  withAccess(member.command('promote <name>').description('give a learner that has caught up a vote')).action(
    (name: string, flags: AccessFlags) => change(name, flags, { kind: 'promote', done: (one) => `${one} has a vote.` }),
  );
  withAccess(
    member.command('transfer [name]').description('hand leadership to a member, or to the one that is furthest'),
  ).action((name: string | undefined, flags: AccessFlags) =>
    change(name, flags, { kind: 'transfer', done: (one) => `${one} leads.` }),
  );
  member
    .command('repair')
    .description('rebuild the stopped member of this data directory from the others; refused unless they have a quorum')
    .requiredOption('--data-dir <directory>', 'of the member')
    .option('--endpoints <members>', 'gRPC listeners of the others (default: as the member last saw them)')
    .option('--pki-dir <directory>', "the cluster's secrets")
    .action((flags: AccessFlags) => repair(flags));
}

async function change(
  name: string | undefined,
  flags: AccessFlags,
  what: { readonly kind: 'remove' | 'promote' | 'transfer'; done(name: string): string },
): Promise<void> {
  const access = await resolveAccess(flags);
  const { members, views } = await listMembers(access);
  const target = name === undefined ? undefined : memberNamed(members, name);
  await askLeader(access, views, { kind: what.kind, id: target?.id ?? 0 });
  process.stdout.write(`${what.done(target?.name ?? 'Another member')}\n`);
}

interface Row {
  readonly name: string;
  readonly id: string;
  readonly role: string;
  readonly peer: string;
  readonly client: string;
  readonly applied: number | undefined;
}

function rowOf(member: Member, views: readonly MemberView[]): Row {
  const view = views.find((one) => one.status?.member?.id === member.id)?.status;
  const kind = member.learner ? (member.joining ? 'joining' : 'learner') : 'voter';
  return {
    name: member.name,
    id: String(member.id),
    role: view === undefined ? `${kind}, unreachable` : member.joining ? 'joining' : view.role,
    peer: member.peerAddress,
    client: member.clientAddresses[0] ?? '',
    applied: view?.appliedIndex,
  };
}

function table(rows: readonly Row[]): string {
  const lines = [
    ['NAME', 'ROLE', 'APPLIED', 'PEER', 'CLIENT', 'ID'],
    ...rows.map((row) => [row.name, row.role, String(row.applied ?? '?'), row.peer, row.client, row.id]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length))) ?? [];
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

async function repair(flags: AccessFlags): Promise<void> {
  const hold = holdProcess();
  try {
    const say = (text: string) => void process.stdout.write(`${text}\n`);
    const aside = await repairMember({
      dataDir: resolve(flags.dataDir),
      ...(flags.pkiDir === undefined ? {} : { pkiDir: flags.pkiDir }),
      endpoints: (flags.endpoints ?? '').split(',').filter((part) => part !== ''),
      clock: systemClock,
      random: systemRandom,
      say,
    });
    say(
      `The old log and state were kept in ${aside}; delete them once the member is well.\nStart the member as before: it joins anew and is sent the state.`,
    );
  } finally {
    hold.cancel();
  }
}
