#!/usr/bin/env node
/** The `navarch` command: composes the services into processes. Each subcommand is one file in commands/. */
import { Command } from 'commander';
import { addAgentCommand } from './commands/agent.js';
import { addClusterCommands } from './commands/cluster.js';
import { addDashboardCommand } from './commands/dashboard.js';
import { addMemberCommands } from './commands/member.js';
import { addPkiCommands } from './commands/pki.js';
import { addServerCommand } from './commands/server.js';
import { addStatusCommand } from './commands/status.js';
import { addUpCommands } from './commands/up.js';
import { describeFailure } from './lib/errors.js';
import { KUBERNETES_VERSION, VERSION } from './version.js';

function createProgram(): Command {
  const program = new Command('navarch')
    .description('A Kubernetes-compatible container orchestrator whose control plane is multi-master by nature.')
    .version(VERSION, '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(navarch <command> --help tells more)')
    .addHelpText('after', `
Begin here:
  navarch up          a whole cluster on this machine
  navarch status      how it is
  navarch down        its end`);
  addUpCommands(program);
  addStatusCommand(program);
  addDashboardCommand(program);
  addServerCommand(program);
  addAgentCommand(program);
  addMemberCommands(program);
  addClusterCommands(program);
  addPkiCommands(program);
  program.command('version').description('print versions').action(() => {
    process.stdout.write(`navarch ${VERSION}\nserves Kubernetes ${KUBERNETES_VERSION.gitVersion}\nnode ${process.version}\n`);
  });
  return program;
}

try {
  await createProgram().parseAsync();
} catch (error) {
  const { text, exitCode } = describeFailure(error);
  process.stderr.write(`navarch: ${text}\n`);
  process.exit(exitCode);
}
