/** `navarch dashboard`: a live, read-only page of the cluster, for a browser on this machine. */
import type { Command } from 'commander';
import { systemClock } from '../../platform/clock.js';
import { createLogger } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import { connect } from '../../sdk/grpc/connect.js';
import { createDashboard, type MemberRow } from '../../services/dashboard/dashboard.js';
import { resolveAccess } from './access.js';
import { UserError } from '../../platform/user-error.js';
import { defaultDataDir } from '../lib/paths.js';
import { runUntilSignal } from '../lib/run.js';
import { askMembers, type Access, type MemberView } from '../../services/server/cluster/member-calls.js';

export function addDashboardCommand(program: Command): void {
  program
    .command('dashboard')
    .description('a live, read-only web page of the cluster, on 127.0.0.1 only, until Ctrl-C')
    .option('--data-dir <directory>', 'of the cluster that `up` started, or of a member', defaultDataDir())
    .option('--port <number>', 'to listen on; 0: any free one', '0')
    .addHelpText(
      'after',
      `
The address that is printed holds an access key: whoever has it can read the page. From another machine, forward the port:
  ssh -L 8001:127.0.0.1:8001 HOST navarch dashboard --port 8001`,
    )
    .action(async (flags: { readonly dataDir: string; readonly port: string }) =>
      runDashboard(flags.dataDir, portOf(flags.port)),
    );
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new UserError(`--port must be 0 to 65535, not "${text}"`, 2);
  return port;
}

async function runDashboard(dataDir: string, port: number): Promise<void> {
  const access = await resolveAccess({ dataDir });
  const logger = createLogger('navarch', { level: 'warn' });
  const client = await connect({ endpoints: access.endpoints, tls: access });
  const dashboard = createDashboard({
    client,
    members: () => memberRows(access),
    clock: systemClock,
    random: systemRandom,
    logger,
    port,
  });
  const service: Service = {
    name: dashboard.name,
    start: async () => {
      await dashboard.start();
      process.stdout.write(`${dashboard.url}\n`);
    },
    stop: async () => {
      await dashboard.stop();
      await client.close();
    },
  };
  await runUntilSignal(service, logger);
}

async function memberRows(access: Access): Promise<MemberRow[]> {
  const views = await askMembers(access);
  const newest = Math.max(0, ...views.map(({ status }) => status?.revision ?? 0));
  return views.map((view) => rowOf(view, newest));
}

function rowOf({ endpoint, status, error }: MemberView, newest: number): MemberRow {
  if (status === undefined) return { name: '', endpoint, role: '', term: 0, revision: 0, lag: 0, error };
  return {
    name: status.member?.name ?? '',
    endpoint,
    role: status.role,
    term: status.term,
    revision: status.revision,
    lag: newest - status.revision,
    error: '',
  };
}
