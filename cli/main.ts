#!/usr/bin/env node
/**
 * The `navarch` command: composes the services into processes. Each subcommand is one file in commands/, and is loaded
 * only when it is asked for: an agent need not carry an API server's code about, nor `status` wait for it.
 */
import { Command } from 'commander';
import { describeFailure } from './lib/errors.js';
import { KUBERNETES_VERSION, VERSION } from '../platform/version.js';

interface Subcommand {
  readonly names: readonly string[];
  readonly load: () => Promise<(program: Command) => void>;
}

const SUBCOMMANDS: readonly Subcommand[] = [
  { names: ['up', 'down', 'supervise'], load: async () => (await import('./commands/up.js')).addUpCommands },
  { names: ['front'], load: async () => (await import('./commands/front.js')).addFrontCommand },
  { names: ['status'], load: async () => (await import('./commands/status.js')).addStatusCommand },
  { names: ['server'], load: async () => (await import('./commands/server.js')).addServerCommand },
  { names: ['agent'], load: async () => (await import('./commands/agent.js')).addAgentCommand },
  { names: ['member'], load: async () => (await import('./commands/member.js')).addMemberCommands },
  { names: ['cluster'], load: async () => (await import('./commands/cluster.js')).addClusterCommands },
  { names: ['dashboard'], load: async () => (await import('./commands/dashboard.js')).addDashboardCommand },
  { names: ['snapshot'], load: async () => (await import('./commands/snapshot.js')).addSnapshotCommands },
  { names: ['token'], load: async () => (await import('./commands/token.js')).addTokenCommands },
  { names: ['pki', 'kubeconfig'], load: async () => (await import('./commands/pki.js')).addPkiCommands },
];

async function createProgram(): Promise<Command> {
  const program = new Command('navarch')
    .description('A Kubernetes-compatible container orchestrator whose control plane is multi-master by nature.')
    .version(VERSION, '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(navarch <command> --help tells more)')
    .addHelpText(
      'after',
      `
Begin here:
  navarch up          a whole cluster on this machine
  navarch status      how it is
  navarch down        its end`,
    );
  const [, , asked = ''] = process.argv;
  const known = SUBCOMMANDS.filter(({ names }) => names.includes(asked));
  // Help, and what is no command, concern all of them.
  for (const { load } of known.length > 0 ? known : SUBCOMMANDS) (await load())(program);
  program
    .command('version')
    .description('print versions')
    .action(() => {
      process.stdout.write(
        `navarch ${VERSION}\nserves Kubernetes ${KUBERNETES_VERSION.gitVersion}\nnode ${process.version}\n`,
      );
    });
  return program;
}

try {
  const program = await createProgram();
  await program.parseAsync();
  // A handshake with a member that hangs may be under way still: a command that is over waits for nothing.
  process.exit();
} catch (error) {
  const { text, exitCode } = describeFailure(error);
  process.stderr.write(`navarch: ${text}\n`);
  process.exit(exitCode);
}
