/**
 * From a member's request for a stream to the runtime: finds pod and container, and reports in the API's words what
 * is wrong.
 */
import type { PodStream, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import { apiErrors } from '../../apimachinery/status.js';
import { newestSandbox, recordsOf } from './pod/decide.js';
import { containersOf, specOf } from './pod-spec/spec.js';
import type { PodWorker } from './pod/worker.js';
import { openPort } from './runtime/port.js';
import type { Runtime, SandboxRecord } from './runtime/runtime.js';

const PODS = { group: '', resource: 'pods' };

type PodOfWorker = Pick<PodWorker, 'key' | 'pod' | 'snapshot'>;

export interface StreamParts {
  /** By the pod's uid. */
  readonly workers: ReadonlyMap<string, PodOfWorker>;
  readonly runtime: Runtime;
  readonly nodeIP: string;
  /** Where the worker itself serves; absent: nowhere. */
  readonly serving?: { readonly host: string; readonly port: number };
}

export function openPodStream(request: PodStreamRequest, parts: StreamParts, signal: AbortSignal): Promise<PodStream> {
  if (request.kind === 'node-port') return openServing(request.port, parts, signal);
  const { workers, runtime } = parts;
  const worker = workers.get(request.uid);
  if (worker === undefined || worker.key.name !== request.pod || worker.key.namespace !== request.namespace)
    throw apiErrors.notFound(PODS, request.pod);
  if (request.kind === 'port-forward') {
    const sandbox = newestSandbox(worker.snapshot);
    if (sandbox?.ready !== true) throw apiErrors.badRequest(`pod ${request.pod} is not running`);
    return runtime.openPort(at(request, { sandbox, worker, nodeIP: parts.nodeIP }), request.port, signal);
  }
  const { container } = request;
  if (!containersOf(specOf(worker.pod)).some((roled) => roled.container.name === container)) {
    throw apiErrors.badRequest(`container ${container} is not valid for pod ${request.pod}`);
  }
  const [newest, previous] = recordsOf(worker.snapshot, container);
  if (request.kind === 'log') {
    const record = request.previous ? previous : newest;
    if (record === undefined && request.previous)
      throw apiErrors.badRequest(`previous terminated container "${container}" in pod "${request.pod}" not found`);
    if (record === undefined || record.phase === 'created')
      throw apiErrors.badRequest(
        `container "${container}" in pod "${request.pod}" is waiting to start: ContainerCreating`,
      );
    return runtime.openLog(record, request, signal);
  }
  if (newest?.phase !== 'running')
    throw apiErrors.badRequest(`container ${container} of pod ${request.pod} is not running`);
  return runtime.openExec(newest.id, request, signal);
}

/** A member can reach the worker's own port through it, and nothing else of its machine. */
function openServing(port: number, { serving }: StreamParts, signal: AbortSignal): Promise<PodStream> {
  if (serving === undefined) throw apiErrors.serviceUnavailable('the worker serves no port');
  if (port !== serving.port)
    throw apiErrors.badRequest(
      `the worker serves port ${serving.port}; port ${port} of its machine is not reached this way`,
    );
  return openPort({ ...serving, owner: 'the worker' }, signal);
}

type PortForward = Extract<PodStreamRequest, { kind: 'port-forward' }>;

/**
 * The sandbox with the one address that was asked for. The pod's addresses come from the runtime: one that
 * somebody wrote into a pod's status or an EndpointSlice is refused (CVE-2022-3294).
 */
function at(
  { address, pod }: PortForward,
  own: { readonly sandbox: SandboxRecord; readonly worker: PodOfWorker; readonly nodeIP: string },
): SandboxRecord {
  const { sandbox } = own;
  if (address === undefined) return sandbox;
  const addresses = own.worker.pod.spec?.hostNetwork === true ? [own.nodeIP] : sandbox.ips;
  if (!addresses.includes(address)) throw apiErrors.badRequest(`pod ${pod} does not have the address ${address}`);
  return { ...sandbox, ips: [address] };
}
