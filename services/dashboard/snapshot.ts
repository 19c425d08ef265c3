/**
 * What the page shows, computed from what the informers hold: a pure function of objects. Rows are plain text and
 * numbers, bounded in count and length, the worst first, so that a snapshot stays small whatever the cluster holds.
 */
import type { Deployment, Event, Node, Pod } from '../../apimachinery/gen/types.js';
import { podStatusOf, restartsOf, type Health } from './pod-status.js';

/** A member of the control plane, as the caller's `members` function reports it. */
export interface MemberRow {
  readonly name: string;
  readonly endpoint: string;
  /** As GetStatus has it (leader, follower, ...); empty: it does not answer, `error` says why. */
  readonly role: string;
  readonly term: number;
  readonly revision: number;
  /** Revisions behind the newest member. */
  readonly lag: number;
  readonly error: string;
}

interface NodeRow {
  readonly name: string;
  readonly status: string;
  readonly health: Health;
  readonly address: string;
  /** Pods bound to it that have not finished. */
  readonly pods: number;
  /** RFC 3339, or empty. Ages are the page's to count. */
  readonly since: string;
}

interface PodRow {
  readonly namespace: string;
  readonly name: string;
  /** As kubectl's STATUS column. */
  readonly status: string;
  readonly health: Health;
  readonly restarts: number;
  readonly node: string;
  readonly since: string;
}

interface DeploymentRow {
  readonly namespace: string;
  readonly name: string;
  readonly ready: number;
  readonly wanted: number;
  readonly health: Health;
  readonly since: string;
}

interface EventRow {
  readonly warning: boolean;
  /** `Pod default/web-1`. */
  readonly object: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly last: string;
}

/** The rows that are shown, and how many there are by health in all. */
interface Table<T> {
  readonly rows: readonly T[];
  readonly total: number;
  readonly troubled: number;
}

export interface Snapshot {
  /** Every informer has its first list; before that, an empty table means nothing. */
  readonly synced: boolean;
  readonly members: readonly MemberRow[];
  /** Why the members could not be asked, or empty. */
  readonly membersError: string;
  readonly nodes: Table<NodeRow>;
  readonly deployments: Table<DeploymentRow>;
  readonly pods: Table<PodRow>;
  readonly events: readonly EventRow[];
}

export interface SnapshotInput {
  readonly synced: boolean;
  readonly members: readonly MemberRow[];
  readonly membersError: string;
  readonly nodes: readonly Node[];
  readonly deployments: readonly Deployment[];
  readonly pods: readonly Pod[];
  readonly events: readonly Event[];
}

export const ROWS_MAX = 500;
/** Of warnings, and of other events, each. */
export const EVENTS_MAX = 40;
const TEXT_LENGTH_MAX = 400;

export function snapshotOf(input: SnapshotInput): Snapshot {
  return {
    synced: input.synced,
    members: input.members.map((member) => ({ ...member, error: cut(member.error) })),
    membersError: cut(input.membersError),
    nodes: nodeTable(input.nodes, input.pods),
    deployments: tableOf(input.deployments.map(deploymentRow)),
    pods: tableOf(input.pods.map(podRow)),
    events: eventRows(input.events),
  };
}

/** Keeps the troubled when not all fit; what is kept is ordered by namespace and name. */
function tableOf<T extends { readonly health: Health; readonly name: string; readonly namespace?: string }>(
  all: readonly T[],
): Table<T> {
  const rank = (row: T) => (row.health === 'bad' ? 0 : row.health === 'waiting' ? 1 : 2);
  const kept = all.length <= ROWS_MAX ? [...all] : all.toSorted((a, b) => rank(a) - rank(b)).slice(0, ROWS_MAX);
  kept.sort((a, b) => order(a.namespace ?? '', b.namespace ?? '') || order(a.name, b.name));
  return { rows: kept, total: all.length, troubled: all.filter((row) => rank(row) < 2).length };
}

function nodeTable(nodes: readonly Node[], pods: readonly Pod[]): Table<NodeRow> {
  const counts = new Map<string, number>();
  for (const pod of pods) {
    const node = pod.spec?.nodeName ?? '';
    if (pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed')
      counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return tableOf(
    nodes.map((node) => {
      const name = node.metadata?.name ?? '';
      const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready')?.status;
      const cordoned = node.spec?.unschedulable === true;
      return {
        name: cut(name),
        status: `${ready === 'True' ? 'Ready' : ready === 'Unknown' ? 'Silent' : 'NotReady'}${cordoned ? ', cordoned' : ''}`,
        health: ready !== 'True' ? 'bad' : cordoned ? 'waiting' : 'good',
        address: cut(node.status?.addresses?.find((address) => address.type === 'InternalIP')?.address ?? ''),
        pods: counts.get(name) ?? 0,
        since: node.metadata?.creationTimestamp ?? '',
      };
    }),
  );
}

function podRow(pod: Pod): PodRow {
  const { status, health } = podStatusOf(pod);
  return {
    namespace: pod.metadata?.namespace ?? '',
    name: cut(pod.metadata?.name ?? ''),
    status: cut(status),
    health,
    restarts: restartsOf(pod),
    node: pod.spec?.nodeName ?? '',
    since: pod.metadata?.creationTimestamp ?? '',
  };
}

function deploymentRow(deployment: Deployment): DeploymentRow {
  // One replica is the API's default.
  const wanted = deployment.spec?.replicas ?? 1;
  const ready = deployment.status?.readyReplicas ?? 0;
  return {
    namespace: deployment.metadata?.namespace ?? '',
    name: cut(deployment.metadata?.name ?? ''),
    ready,
    wanted,
    health: ready >= wanted ? 'good' : ready === 0 ? 'bad' : 'waiting',
    since: deployment.metadata?.creationTimestamp ?? '',
  };
}

function eventRows(events: readonly Event[]): EventRow[] {
  const newestFirst = events.map(eventRow).sort((a, b) => order(b.last, a.last));
  return [
    ...newestFirst.filter((event) => event.warning).slice(0, EVENTS_MAX),
    ...newestFirst.filter((event) => !event.warning).slice(0, EVENTS_MAX),
  ];
}

function eventRow(event: Event): EventRow {
  const { kind = '', namespace = '', name = '' } = event.involvedObject ?? {};
  return {
    warning: event.type === 'Warning',
    object: cut(`${kind} ${namespace === '' ? name : `${namespace}/${name}`}`),
    reason: cut(event.reason ?? ''),
    message: cut(event.message ?? ''),
    count: event.series?.count ?? event.count ?? 1,
    // Which of the stamps is there depends on which of the two event APIs wrote it.
    last:
      event.series?.lastObservedTime ??
      event.lastTimestamp ??
      event.eventTime ??
      event.firstTimestamp ??
      event.metadata?.creationTimestamp ??
      '',
  };
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const cut = (text: string) => (text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}…`);
