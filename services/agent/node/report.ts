/** What a worker says of itself: pure, from facts about the machine and the runtime (core/v1 NodeStatus). */
import type { NodeStatus } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import type { PartFaults } from '../../../platform/containment.js';
import { FAULTS_CONDITION, HOSTNAME_LABEL, OS_LABEL } from '../../../apimachinery/well-known.js';
import { quantityOf } from '../pod-spec/resources.js';
import type { Quantities } from '../pod-spec/types.js';
import { kibi } from './capacity.js';
import type { MachineFacts } from './machine.js';
import type { ImageRecord, RuntimeInfo } from '../runtime/runtime.js';

export interface ReportInput {
  readonly machine: MachineFacts;
  readonly runtime: RuntimeInfo;
  readonly images: readonly ImageRecord[];
  readonly nodeIP: string;
  /** What pods may ask for together, with what the system keeps. */
  readonly capacity: Quantities;
  readonly version: string;
  /** The overlay and its CNI configuration are in place. */
  readonly networkReady: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Contained faults since the worker's start, by part. */
  readonly faults?: readonly PartFaults[];
  readonly now_ms?: number;
}

const IMAGES_MAX = 50;
/** Below these shares of what there is, a resource is under pressure (kubelet's eviction defaults). */
const MEMORY_FREE_BYTES_MIN = 100 * 2 ** 20;
const DISK_FREE_SHARE_MIN = 0.1;
const PIDS_FREE_SHARE_MIN = 0.1;
/** A contained fault is news for so long. */
const FAULT_NEWS_MS = 600_000;
const FAULT_LENGTH_MAX = 200;

export function nodeReport(input: ReportInput): { labels: Record<string, string>; status: NodeStatus } {
  const { machine, runtime, nodeIP, version } = input;
  const { capacity } = input;
  const memory_bytes = quantityOf(capacity['memory']) ?? 0;
  const reserved_bytes = Math.min(MEMORY_FREE_BYTES_MIN, memory_bytes / 10);
  return {
    labels: {
      [HOSTNAME_LABEL]: machine.hostname,
      [OS_LABEL]: 'linux',
      'kubernetes.io/arch': machine.architecture,
      ...input.labels,
    },
    status: {
      capacity,
      allocatable: {
        ...capacity,
        memory: kibi(memory_bytes - reserved_bytes),
        'ephemeral-storage': kibi((quantityOf(capacity['ephemeral-storage']) ?? 0) * (1 - DISK_FREE_SHARE_MIN)),
      },
      addresses: [
        { type: 'InternalIP', address: nodeIP },
        { type: 'Hostname', address: machine.hostname },
      ],
      nodeInfo: {
        architecture: machine.architecture,
        bootID: machine.bootId,
        machineID: machine.machineId,
        systemUUID: machine.machineId,
        kernelVersion: machine.kernel,
        osImage: machine.osImage,
        operatingSystem: 'linux',
        containerRuntimeVersion: runtime.version,
        kubeletVersion: version,
        kubeProxyVersion: '',
      },
      conditions: [...conditions(input), ...faultsCondition(input.faults ?? [], input.now_ms ?? 0)],
      images: input.images
        .toSorted((a, b) => b.size_bytes - a.size_bytes)
        .slice(0, IMAGES_MAX)
        .map((image) => ({ names: [...image.names], sizeBytes: image.size_bytes })),
    },
  };
}

function conditions({ machine, runtime, networkReady }: ReportInput): NonNullable<NodeStatus['conditions']> {
  const pressure = (
    type: string,
    high: boolean,
    reasons: readonly [string, string],
    message: readonly [string, string],
  ) => ({
    type,
    status: high ? 'True' : 'False',
    reason: reasons[high ? 1 : 0] ?? '',
    message: message[high ? 1 : 0] ?? '',
  });
  const network = runtime.networkReady && networkReady;
  const ready = runtime.ready && network;
  const why = !runtime.ready
    ? `container runtime is not ready: ${runtime.message}`
    : `container runtime network not ready: ${runtime.message}`;
  return [
    pressure(
      'MemoryPressure',
      machine.memoryAvailable_bytes < MEMORY_FREE_BYTES_MIN,
      ['KubeletHasSufficientMemory', 'KubeletHasInsufficientMemory'],
      ['the node has sufficient memory available', 'the node has insufficient memory available'],
    ),
    pressure(
      'DiskPressure',
      machine.diskAvailable_bytes < machine.disk_bytes * DISK_FREE_SHARE_MIN,
      ['KubeletHasNoDiskPressure', 'KubeletHasDiskPressure'],
      ['the node has no disk pressure', 'the node has disk pressure'],
    ),
    pressure(
      'PIDPressure',
      machine.pidsMax - machine.pidsUsed < machine.pidsMax * PIDS_FREE_SHARE_MIN,
      ['KubeletHasSufficientPID', 'KubeletHasInsufficientPID'],
      ['the node has sufficient PIDs available', 'the node has insufficient PIDs available'],
    ),
    {
      type: 'Ready',
      status: ready ? 'True' : 'False',
      reason: ready ? 'KubeletReady' : 'KubeletNotReady',
      message: ready ? 'the agent is posting ready status' : why,
    },
  ];
}

/** Shown once something failed. True while it is news; the counts stay until the worker starts again. */
function faultsCondition(faults: readonly PartFaults[], now_ms: number): NonNullable<NodeStatus['conditions']> {
  const [newest] = faults.toSorted((a, b) => b.last_ms - a.last_ms);
  if (newest === undefined) return [];
  const recent = now_ms - newest.last_ms < FAULT_NEWS_MS;
  const counts = faults.map(({ part, count }) => `${part} ${count}`).join(', ');
  return [
    {
      type: FAULTS_CONDITION,
      status: recent ? 'True' : 'False',
      reason: recent ? 'FaultsContained' : 'NoRecentFaults',
      message: `${counts}; the newest in ${newest.part} at ${toTime(newest.last_ms)}: ${newest.last.slice(0, FAULT_LENGTH_MAX)}`,
    },
  ];
}
