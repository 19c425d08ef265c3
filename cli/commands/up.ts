/** `navarch up` and `navarch down`: a whole cluster on this machine, and its end. */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { holdProcess, systemClock } from '../../platform/clock.js';
import { systemExecutor } from '../../platform/exec.js';
import { createLogger } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import { BACKENDS, CNI_LINKS } from './agent.js';
import { missingForHosts, removeHosts } from '../hosts/hosts.js';
import { calledAs, shellWord } from '../lib/called-as.js';
import { parseCapacity } from '../../services/agent/node/capacity.js';
import { UserError } from '../../platform/user-error.js';
import { defaultDataDir, layout } from '../lib/paths.js';
import { runUntilSignal } from '../lib/run.js';
import { isRunning, signalProcess } from '../../platform/process-id.js';
import { planLoopback } from '../up/plan.js';
import { portFault } from '../up/ports.js';
import { liveState, readState, type SupervisorState } from '../up/state-file.js';
import { endLeftovers, hostsPlanOf, Supervisor, type SupervisorOptions } from '../up/supervisor.js';

interface UpFlags {
  readonly dataDir: string;
  readonly members: string;
  readonly workers: string;
  readonly loopback?: boolean;
  readonly underlay: string;
  readonly apiPort: string;
  readonly grpcPort: string;
  readonly peerPort: string;
  readonly nodeGrace: string;
  readonly defaultToleration: string;
  readonly workerCapacity: string;
  readonly cniLink: string;
  readonly overlayBackend: string;
  readonly hollowRules?: string;
}

type DownFlags = Pick<UpFlags, 'dataDir' | 'workers'> & { readonly purge?: boolean };

const POLL_MS = 50;
const WORKERS_MAX = 200;
const UP_MS = 180_000;
const DOWN_MS = 60_000;

const dataDirOption = () =>
  new Option('--data-dir <directory>', 'everything of this cluster').default(defaultDataDir());

const otherOptions = (): readonly Option[] => [
  new Option('--members <n>', 'members of the control plane: 1, 3 or 5').default('3'),
  new Option('--workers <n>', 'workers').default('2'),
  new Option('--loopback', 'members on loopback and hollow workers, also where real ones were possible'),
  new Option('--underlay <cidr>', 'addresses of the hosts, a /24 that nothing else uses').default('198.18.0.0/24'),
  new Option('--api-port <port>', 'on loopback: REST port of the first member; the others follow').default('6443'),
  new Option('--grpc-port <port>', 'on loopback: gRPC port of the first member; the others in steps of ten').default(
    '2379',
  ),
  new Option('--peer-port <port>', 'on loopback: Raft port of the first member; the others in steps of ten').default(
    '2380',
  ),
  new Option('--cni-link <kind>', 'of real workers: how pods hang on their node').choices(CNI_LINKS).default('ptp'),
  new Option('--overlay-backend <kind>', 'of real workers: how packets get to pods of other nodes')
    .choices(BACKENDS)
    .default('vxlan'),
  new Option('--hollow-rules <file>', 'what hollow containers of some images do (docs/workers.md)'),
  new Option(
    '--worker-capacity <cpu=2,memory=4Gi,...>',
    'what pods may have on each worker; otherwise real ones share the machine, and hollow ones pretend to have all of it',
  ).default(''),
  new Option('--node-grace <seconds>', 'silence after which a worker is NotReady').default('40'),
  new Option(
    '--default-toleration <seconds>',
    'how long pods stay on an unreachable worker unless they say otherwise',
  ).default('300'),
];

function addUpOptions(command: Command): Command {
  for (const option of [dataDirOption(), ...otherOptions()]) command.addOption(option);
  return command;
}

function workerCapacityOf({ workerCapacity }: Pick<UpFlags, 'workerCapacity'>): { workerCapacity?: string } {
  try {
    parseCapacity(workerCapacity);
  } catch (error) {
    throw new UserError(`--worker-capacity: ${(error as Error).message}`, 2);
  }
  return workerCapacity === '' ? {} : { workerCapacity };
}

export function addUpCommands(program: Command): void {
  addUpOptions(
    program.command('up').description('start a whole cluster on this machine, or heal the one that is there'),
  )
    .addHelpText(
      'after',
      `
As root on Linux with containerd: each member and worker is a host of its own (a network namespace), and pods are
containers. Otherwise members listen on loopback and workers only pretend to run pods; everything else is the same.
Running it again, after a reboot or a crash, heals. \`navarch down\` takes it away.`,
    )
    .action(async (flags: UpFlags) => held(() => up(flags)));
  addUpOptions(program.command('supervise', { hidden: true })).action(async (flags: UpFlags) => supervise(flags));
  const end = program
    .command('down')
    .description('stop the cluster that `up` started; its data stays for the next `up`')
    .addOption(dataDirOption())
    .option('--purge', 'take the data away too: all objects, certificates and images')
    .addHelpText(
      'after',
      `
The flags of \`up\` are understood, so that its line with \`down\` in its place takes away what it made. Which cluster
that is, --data-dir says alone.`,
    )
    .action(async (flags: DownFlags) => held(() => down(flags)));
  for (const option of otherOptions()) end.addOption(option.hideHelp());
}

/** A command that waits by the clock alone would end in the middle. */
async function held(run: () => Promise<void>): Promise<void> {
  const hold = holdProcess();
  try {
    await run();
  } finally {
    hold.cancel();
  }
}

function count(text: string, flag: string, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most)
    throw new UserError(`${flag} must be a number up to ${most}, not "${text}"`, 2);
  return value;
}

/** Refuses what cannot be, before anything is written. */
function planningOf(flags: UpFlags): Omit<SupervisorOptions, 'executor' | 'clock' | 'random' | 'logger'> {
  const members = count(flags.members, '--members', 9);
  if (members % 2 === 0)
    throw new UserError(
      `--members must be odd: ${members} members bear no more failures than ${Math.max(members - 1, 1)}`,
      2,
    );
  const options = {
    dataDir: resolve(flags.dataDir),
    members,
    workers: count(flags.workers, '--workers', WORKERS_MAX),
    loopback: flags.loopback === true,
    underlay: flags.underlay,
    apiPort: count(flags.apiPort, '--api-port', 65_535),
    grpcPort: count(flags.grpcPort, '--grpc-port', 65_535),
    peerPort: count(flags.peerPort, '--peer-port', 65_535),
    ...workerCapacityOf(flags),
    cniLink: flags.cniLink,
    overlayBackend: flags.overlayBackend,
    ...(flags.hollowRules === undefined ? {} : { hollowRules: resolve(flags.hollowRules) }),
    nodeGrace_s: count(flags.nodeGrace, '--node-grace', 86_400),
    toleration_s: count(flags.defaultToleration, '--default-toleration', 86_400),
  };
  const fault = options.loopback ? portFault(planLoopback(options)) : undefined;
  if (fault !== undefined) throw new UserError(fault, 2);
  return options;
}

function optionsOf(flags: UpFlags): SupervisorOptions {
  return {
    ...planningOf(flags),
    executor: systemExecutor,
    clock: systemClock,
    random: systemRandom,
    logger: createLogger('supervisor', { file: join(layout(resolve(flags.dataDir)).logs, 'supervisor.log') }),
  };
}

/** Nobody else reads keys, objects and logs: made before anything is put into them. */
function makeFolders(dataDir: string): void {
  for (const folder of [dataDir, layout(dataDir).logs]) mkdirSync(folder, { recursive: true, mode: 0o700 });
}

async function supervise(flags: UpFlags): Promise<void> {
  makeFolders(resolve(flags.dataDir));
  const options = optionsOf(flags);
  await runUntilSignal(new Supervisor(options), options.logger);
}

async function up(flags: UpFlags): Promise<void> {
  planningOf(flags);
  makeFolders(resolve(flags.dataDir));
  const options = optionsOf(flags);
  const { dataDir } = options;
  const started_ms = systemClock.monotonic();
  if (liveState(dataDir) === undefined) startSupervisor(dataDir);
  const state = await followProgress(dataDir);
  report(state, dataDir, systemClock.monotonic() - started_ms);
}

/** The same command line, as `supervise`, in a session of its own. */
function startSupervisor(dataDir: string): void {
  const { logs } = layout(dataDir);
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const log = openSync(join(logs, 'supervisor.out'), 'a', 0o600);
  const [node = process.execPath, main = '', , ...flags] = process.argv;
  const child = spawn(node, [main, 'supervise', ...flags], { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  child.unref();
}

/** Prints each new step; resolves when the cluster runs. */
async function followProgress(dataDir: string): Promise<SupervisorState> {
  const end_ms = systemClock.monotonic() + UP_MS;
  let said = '';
  let appeared = false;
  for (;;) {
    const state = liveState(dataDir);
    appeared ||= state !== undefined;
    if (state !== undefined && state.message !== said) {
      said = state.message;
      if (state.phase === 'starting') process.stdout.write(`navarch: ${said}\n`);
    }
    if (state?.phase === 'running') return state;
    const last = readState(dataDir);
    if (appeared && state === undefined)
      throw new UserError(
        `the cluster could not be started: ${last?.message ?? 'the supervisor ended'}\nlogs: ${layout(dataDir).logs}`,
      );
    if (state?.phase === 'failed') throw new UserError(`the cluster could not be started: ${state.message}`);
    if (systemClock.monotonic() > end_ms)
      throw new UserError(`the cluster is not ready after ${UP_MS / 1000} s: ${said}; logs: ${layout(dataDir).logs}`);
    await systemClock.sleep(POLL_MS);
  }
}

function report(state: SupervisorState, dataDir: string, took_ms: number): void {
  const lines = [
    '',
    `The cluster is up (${(took_ms / 1000).toFixed(1)} s): ${state.members.length} members, ${state.workers.length} workers.`,
    ...(state.api === undefined ? [] : [`  kubectl     ${state.api}: whichever member is well`]),
    ...state.members.map((member) => `  member ${member.name}   ${member.api}   gRPC ${member.grpc}`),
    ...state.workers.map(
      (worker) =>
        `  worker ${worker.name}   ${worker.address}   ${worker.runtime === 'hollow' ? 'hollow: pods only pretend' : 'containerd'}`,
    ),
    ...state.notes.map((note) => `Note: ${note}`),
    '',
    'Next:',
    `  export KUBECONFIG=${shellWord(layout(dataDir).kubeconfig)}`,
    '  kubectl get nodes',
    '  kubectl apply -f examples/guestbook.yaml',
    `  ${calledAs()} status --data-dir ${shellWord(dataDir)}`,
    `  ${calledAs()} down --data-dir ${shellWord(dataDir)}`,
    '',
  ];
  process.stdout.write(lines.join('\n'));
}

async function down(flags: DownFlags): Promise<void> {
  const dataDir = resolve(flags.dataDir);
  const workers = count(flags.workers, '--workers', WORKERS_MAX);
  const state = liveState(dataDir);
  if (state !== undefined) {
    signalProcess(state.supervisor, 'SIGTERM');
    const end_ms = systemClock.monotonic() + DOWN_MS;
    while (isRunning(state.supervisor) && systemClock.monotonic() < end_ms) await systemClock.sleep(POLL_MS);
    signalProcess(state.supervisor, 'SIGKILL');
  }
  // Also after an orderly end: what a crashed supervisor left behind goes now.
  await endLeftovers(dataDir, systemClock);
  if ((await missingForHosts(systemExecutor)).length === 0) {
    const last = readState(dataDir);
    // Hosts are named after the data directory. Where no state tells how many there were, as many are looked for as
    // most people have.
    const plan = hostsPlanOf({
      dataDir,
      members: Math.max(last?.members.length ?? 0, 9),
      workers: Math.max(last?.workers.length ?? 0, workers, 16),
    });
    await removeHosts(plan, {
      executor: systemExecutor,
      clock: systemClock,
      logger: createLogger('down', { level: 'warn' }),
    });
  }
  if (flags.purge === true) await rm(dataDir, { recursive: true, force: true });
  else await rm(join(dataDir, 'run'), { recursive: true, force: true });
  process.stdout.write(
    flags.purge === true
      ? 'The cluster is gone, and its data.\n'
      : `The cluster is stopped. Its data stays in ${dataDir}; \`${calledAs()} up\` brings it back.\n`,
  );
}
