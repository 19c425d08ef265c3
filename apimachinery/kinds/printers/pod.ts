/** The table of pods: what `kubectl get pods -o wide` shows. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { conditionOf, conditionTrue } from '../lib/conditions.js';
import { isRestartableInit } from '../lib/containers.js';
import { humanDuration, timeOf } from '../lib/duration.js';
import { absent, at, field, isRec, list, num, recs, str, type Rec } from '../lib/value.js';
import { AGE, NAME, orNone, printerOf, text, wide } from './columns.js';

interface PodSummary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

class Restarts {
  count = 0;
  last_ms = 0;

  add(status: Rec): void {
    this.count += num(status['restartCount']);
    this.last_ms = Math.max(this.last_ms, timeOf(at(status, 'lastState', 'terminated', 'finishedAt')) ?? 0);
  }

  toText(now_ms: number): string {
    return this.count !== 0 && this.last_ms !== 0
      ? `${this.count} (${humanDuration(now_ms - this.last_ms)} ago)`
      : String(this.count);
  }
}

const state = (status: Rec, name: string): Rec | undefined => {
  const value = at(status, 'state', name);
  return isRec(value) ? value : undefined;
};

function exitText(terminated: Rec): string {
  const reason = str(terminated['reason']);
  if (reason !== '') return reason;
  return num(terminated['signal']) !== 0
    ? `Signal:${num(terminated['signal'])}`
    : `ExitCode:${num(terminated['exitCode'])}`;
}

interface InitResult {
  /** What keeps the pod from starting; undefined when all init containers are through. */
  readonly blockedBy: string | undefined;
  readonly readySidecars: number;
  readonly all: Restarts;
  readonly sidecars: Restarts;
}

function initContainers(pod: KubeObject): InitResult {
  const specs = recs(at(pod, 'spec', 'initContainers'));
  const sidecarNames = new Set(specs.filter(isRestartableInit).map((container) => str(container['name'])));
  const all = new Restarts();
  const sidecars = new Restarts();
  let readySidecars = 0;
  for (const [index, status] of recs(at(pod, 'status', 'initContainerStatuses')).entries()) {
    const isSidecar = sidecarNames.has(str(status['name']));
    all.add(status);
    if (isSidecar) sidecars.add(status);
    const terminated = state(status, 'terminated');
    if (terminated !== undefined && num(terminated['exitCode']) === 0) continue;
    if (isSidecar && status['started'] === true) {
      if (status['ready'] === true) readySidecars += 1;
      continue;
    }
    const waiting = str(state(status, 'waiting')?.['reason']);
    const blockedBy =
      terminated !== undefined
        ? `Init:${exitText(terminated)}`
        : waiting !== '' && waiting !== 'PodInitializing'
          ? `Init:${waiting}`
          : `Init:${index}/${specs.length}`;
    return { blockedBy, readySidecars, all, sidecars };
  }
  return { blockedBy: undefined, readySidecars, all, sidecars };
}

/** The reason shown for the main containers, from the last to the first, so that the first one wins. */
function mainContainers(pod: KubeObject, start: string, restarts: Restarts): { reason: string; ready: number } {
  let reason = start;
  let ready = 0;
  let running = false;
  for (const status of recs(at(pod, 'status', 'containerStatuses')).toReversed()) {
    restarts.add(status);
    const waiting = str(state(status, 'waiting')?.['reason']);
    const terminated = state(status, 'terminated');
    if (waiting !== '') reason = waiting;
    else if (terminated !== undefined) reason = exitText(terminated);
    else if (status['ready'] === true && state(status, 'running') !== undefined) {
      running = true;
      ready += 1;
    }
  }
  if (reason === 'Completed' && running) reason = conditionTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  return { reason, ready };
}

function summarizePod(pod: KubeObject, now_ms: number): PodSummary {
  const phase = str(at(pod, 'status', 'phase'));
  const init = initContainers(pod);
  const gated = at(conditionOf(pod, 'PodScheduled'), 'reason') === 'SchedulingGated';
  let status = gated ? 'SchedulingGated' : str(at(pod, 'status', 'reason')) || phase;
  let ready = init.readySidecars;
  let restarts = init.all;
  if (init.blockedBy !== undefined) status = init.blockedBy;
  if (init.blockedBy === undefined || conditionTrue(pod, 'Initialized')) {
    restarts = init.sidecars;
    const main = mainContainers(pod, status, restarts);
    status = main.reason;
    ready += main.ready;
  }
  if (!absent(at(pod, 'metadata', 'deletionTimestamp'))) {
    if (at(pod, 'status', 'reason') === 'NodeLost') status = 'Unknown';
    else if (phase !== 'Failed' && phase !== 'Succeeded') status = 'Terminating';
  }
  const total =
    list(at(pod, 'spec', 'containers')).length +
    recs(at(pod, 'spec', 'initContainers')).filter(isRestartableInit).length;
  return { ready: `${ready}/${total}`, status, restarts: restarts.toText(now_ms) };
}

function readinessGates(pod: KubeObject): string {
  const gates = recs(at(pod, 'spec', 'readinessGates'));
  if (gates.length === 0) return '<none>';
  return `${gates.filter((gate) => conditionTrue(pod, str(gate['conditionType']))).length}/${gates.length}`;
}

const table: Printer = printerOf(
  NAME,
  AGE,
  wide(text('IP', (pod) => orNone(field(recs(at(pod, 'status', 'podIPs'))[0], 'ip') ?? at(pod, 'status', 'podIP')))),
  wide(text('Node', (pod) => orNone(at(pod, 'spec', 'nodeName')))),
  wide(text('Nominated Node', (pod) => orNone(at(pod, 'status', 'nominatedNodeName')))),
  wide(text('Readiness Gates', readinessGates)),
);

const SUMMARY = ['Ready', 'Status', 'Restarts'].map((name) => ({ name, type: 'string', priority: 0 }));

/** The summary's cells come from one walk over the pod and stand after its name. */
export const podPrinter: Printer = {
  columns: table.columns.toSpliced(1, 0, ...SUMMARY),
  row: (pod, now_ms) => {
    const { ready, status, restarts } = summarizePod(pod, now_ms);
    return table.row(pod, now_ms).toSpliced(1, 0, ready, status, restarts);
  },
};
