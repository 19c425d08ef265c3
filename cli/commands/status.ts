/** `navarch status`: members, workers and pods at a glance. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { nodes, pods } from '../../apimachinery/gen/resources.js';
import { FAULTS_CONDITION } from '../../apimachinery/well-known.js';
import type { Node, Pod } from '../../apimachinery/gen/types.js';
import type { CommandLevels } from '../../proto/gen/navarch/cluster/v1/cluster.js';
import { connect } from '../../sdk/grpc/connect.js';
import { resolveAccess, type AccessFlags } from './access.js';
import { calledAs } from '../lib/called-as.js';
import { UserError } from '../../platform/user-error.js';
import { defaultDataDir } from '../lib/paths.js';
import { askMembers, type Access, type MemberView } from '../../services/server/cluster/member-calls.js';
import { readMemberFile } from '../../services/server/membership/member-file.js';
import { liveState } from '../up/state-file.js';

const CALL_MS = 3_000;

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('show members and other servers (role, term, applied revision, lag), workers and pods')
    .option('--data-dir <directory>', 'of the cluster that `up` started, or of one server', defaultDataDir())
    .option('--endpoints <servers>', 'host:port[,host:port] of gRPC listeners')
    .option('--pki-dir <directory>', "the cluster's secrets")
    .option('-o, --output <format>', 'table or json', 'table')
    .action(async ({ output, ...flags }: AccessFlags & { readonly output: string }) => {
      if (output !== 'table' && output !== 'json')
        throw new UserError(`--output must be table or json, not "${output}"`, 2);
      const access = await accessOf(flags);
      const members = await askMembers(access);
      const objects = await readObjects(access);
      const processes = supervisedBy(flags);
      process.stdout.write(
        output === 'json'
          ? `${JSON.stringify({ ...asJson(members, objects), ...(processes.length === 0 ? {} : { processes }) }, null, 2)}\n`
          : `${asText(members, objects)}${restartsAsText(processes)}`,
      );
      if (members.some((member) => member.status === undefined)) process.exitCode = 1;
    });
}

async function accessOf(flags: AccessFlags): Promise<Access> {
  const dataDir = resolve(flags.dataDir);
  const told = flags.endpoints !== undefined || flags.pkiDir !== undefined;
  if (!told && liveState(dataDir) === undefined && (await readMemberFile(dataDir)) === undefined) {
    throw new UserError(
      `no cluster runs from ${dataDir}; start one with \`${calledAs()} up\`, or name servers and secrets (--endpoints, --pki-dir)`,
    );
  }
  return resolveAccess(flags);
}

/** What the supervisor of `up` started, and how often again; nothing for a cluster of another origin. */
function supervisedBy(flags: AccessFlags): readonly Supervised[] {
  if (flags.endpoints !== undefined || flags.pkiDir !== undefined) return [];
  return (liveState(resolve(flags.dataDir))?.processes ?? []).map(({ name, id, restarts, lastExit }) => ({
    name,
    running: id !== undefined,
    restarts,
    lastExit,
  }));
}

export interface Supervised {
  readonly name: string;
  readonly running: boolean;
  readonly restarts: number;
  /** How it last ended; '' while it never did. */
  readonly lastExit: string;
}

/** '' while nothing had to be started again. */
export function restartsAsText(processes: readonly Supervised[]): string {
  const ended = processes.filter(({ restarts, running }) => restarts > 0 || !running);
  const rows = ended.map(
    ({ name, running, restarts, lastExit }) =>
      `  ${name}: ${restarts} time${restarts === 1 ? '' : 's'}${lastExit === '' ? '' : `, last after ${lastExit}`}${running ? '' : '; it is down now'}`,
  );
  return rows.length === 0 ? '' : `\nstarted again by the supervisor, since it began:\n${rows.join('\n')}\n`;
}

export interface Objects {
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly error: string;
}

async function readObjects(access: Access): Promise<Objects> {
  try {
    const client = await connect({
      endpoints: access.endpoints,
      tls: access,
      connectTimeout_ms: CALL_MS,
      callTimeout_ms: CALL_MS,
    });
    try {
      const [nodeList, podList] = await Promise.all([client.list(nodes), client.list(pods)]);
      return { nodes: nodeList.items, pods: podList.items, error: '' };
    } finally {
      await client.close();
    }
  } catch (error) {
    return { nodes: [], pods: [], error: (error as Error).message };
  }
}

const readyOf = (node: Node) =>
  node.status?.conditions?.find((condition) => condition.type === 'Ready')?.status === 'True' ? 'Ready' : 'NotReady';
const addressOf = (node: Node) =>
  node.status?.addresses?.find((address) => address.type === 'InternalIP')?.address ?? '';
const newest = (members: readonly MemberView[]) =>
  Math.max(0, ...members.map((member) => member.status?.revision ?? 0));
/** What the worker has contained: `dns 3, pod 1`. */
const faultsOf = (node: Node) =>
  node.status?.conditions?.find((condition) => condition.type === FAULTS_CONDITION)?.message ?? '';
const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

/** As the one that is furthest knows them. Undefined: nobody who holds a store answered. */
function levelsOf(members: readonly MemberView[]): CommandLevels | undefined {
  const told = members.flatMap(({ status }) =>
    status?.commandLevels === undefined ? [] : [{ at: status.appliedIndex, levels: status.commandLevels }],
  );
  return told.toSorted((a, b) => b.at - a.at)[0]?.levels;
}

/**
 * A line while there is something to wait for. Members that cannot be reached hold an upgrade up too: all are named.
 */
function upgradeRows(levels: CommandLevels | undefined): readonly string[] {
  if (levels === undefined || levels.members.every(({ understood }) => understood === levels.inForce)) return [];
  const understood = levels.members.map(({ name, understood: level }) => `${name} understands ${level}`);
  return [`upgrade under way: commands of level ${levels.inForce} are in force; ${understood.join(', ')}`];
}

export function asJson(members: readonly MemberView[], objects: Objects): object {
  const revision = newest(members);
  const levels = levelsOf(members);
  return {
    members: members.map(({ endpoint, status, error }) =>
      status === undefined
        ? { endpoint, reachable: false, error }
        : {
            endpoint,
            reachable: true,
            name: status.member?.name,
            role: status.role,
            term: status.term,
            revision: status.revision,
            lag: revision - status.revision,
            appliedIndex: status.appliedIndex,
            commitIndex: status.commitIndex,
            dbSizeBytes: status.dbSizeBytes,
            residentBytes: status.residentBytes,
            version: status.version,
            ...(status.externalStore === undefined
              ? {}
              : {
                  store: {
                    endpoints: status.externalStore.endpoints,
                    ...(status.externalStore.error === '' ? {} : { error: status.externalStore.error }),
                  },
                }),
          },
    ),
    ...(levels === undefined ? {} : { commandLevels: levels }),
    nodes: objects.nodes.map((node) => ({
      name: node.metadata?.name,
      status: readyOf(node),
      address: addressOf(node),
      podCIDR: node.spec?.podCIDR,
      runtime: node.status?.nodeInfo?.containerRuntimeVersion,
      pods: objects.pods.filter((pod) => pod.spec?.nodeName === node.metadata?.name).length,
      ...(faultsOf(node) === '' ? {} : { faults: faultsOf(node) }),
    })),
    pods: countBy(objects.pods.map((pod) => pod.status?.phase ?? 'Unknown')),
    ...(objects.error === '' ? {} : { error: objects.error }),
  };
}

function countBy(values: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Object.fromEntries(counts);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

export function asText(members: readonly MemberView[], objects: Objects): string {
  const revision = newest(members);
  const memberRows = members.map(({ endpoint, status, error }) =>
    status === undefined
      ? ['?', endpoint, 'unreachable', '', '', '', '', error]
      : [
          status.member?.name ?? '',
          endpoint,
          status.role,
          String(status.term),
          String(status.revision),
          String(revision - status.revision),
          megabytes(status.dbSizeBytes),
          megabytes(status.residentBytes),
        ],
  );
  const nodeRows = objects.nodes.map((node) => [
    node.metadata?.name ?? '',
    readyOf(node),
    addressOf(node),
    node.spec?.podCIDR ?? '',
    node.status?.nodeInfo?.containerRuntimeVersion ?? '',
    String(objects.pods.filter((pod) => pod.spec?.nodeName === node.metadata?.name).length),
  ]);
  const faultRows = objects.nodes.flatMap((node) =>
    faultsOf(node) === '' ? [] : [`${node.metadata?.name ?? ''} contained faults: ${faultsOf(node)}`],
  );
  const stores = new Map(
    members.flatMap(({ status }) =>
      status?.externalStore === undefined
        ? []
        : [[status.externalStore.endpoints.join(', '), status.externalStore.error] as const],
    ),
  );
  const storeRows = [...stores].map(
    ([endpoints, error]) => `store: ${endpoints}${error === '' ? '' : ` cannot be reached: ${error}`}`,
  );
  const phases = Object.entries(countBy(objects.pods.map((pod) => pod.status?.phase ?? 'Unknown'))).map(
    ([phase, n]) => `${n} ${phase}`,
  );
  return [
    table([['MEMBER', 'ENDPOINT', 'ROLE', 'TERM', 'REVISION', 'LAG', 'DISK', 'MEMORY'], ...memberRows]),
    ...storeRows,
    ...upgradeRows(levelsOf(members)),
    '',
    objects.error === ''
      ? table([['WORKER', 'STATUS', 'ADDRESS', 'PODS FROM', 'RUNTIME', 'PODS'], ...nodeRows])
      : `workers and pods cannot be read: ${objects.error}`,
    ...faultRows,
    '',
    `pods: ${phases.length === 0 ? 'none' : phases.join(', ')}`,
    '',
  ].join('\n');
}
