/** From a request for a pod stream to the runtime: finds pod and container, and says in the API's words what is wrong. */
import type { PodStream, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import { apiErrors } from '../../apimachinery/status.js';
import { newestSandbox, recordsOf } from './pod/decide.js';
import { containersOf, specOf } from './pod-spec/spec.js';
import type { PodWorker } from './pod/worker.js';
import type { Runtime } from './runtime/runtime.js';

const PODS = { group: '', resource: 'pods' };

export function openPodStream(workers: ReadonlyMap<string, PodWorker>, runtime: Runtime, request: PodStreamRequest, signal: AbortSignal): Promise<PodStream> {
  const worker = workers.get(request.uid);
  if (worker === undefined || worker.key.name !== request.pod || worker.key.namespace !== request.namespace) throw apiErrors.notFound(PODS, request.pod);
  if (request.kind === 'port-forward') {
    const sandbox = newestSandbox(worker.snapshot);
    if (sandbox?.ready !== true) throw apiErrors.badRequest(`pod ${request.pod} is not running`);
    return runtime.openPort(sandbox, request.port, signal);
  }
  const { container } = request;
  if (!containersOf(specOf(worker.pod)).some((roled) => roled.container.name === container)) {
    throw apiErrors.badRequest(`container ${container} is not valid for pod ${request.pod}`);
  }
  const [newest, previous] = recordsOf(worker.snapshot, container);
  if (request.kind === 'log') {
    const record = request.previous ? previous : newest;
    if (record === undefined && request.previous) throw apiErrors.badRequest(`previous terminated container "${container}" in pod "${request.pod}" not found`);
    if (record === undefined || record.phase === 'created') throw apiErrors.badRequest(`container "${container}" in pod "${request.pod}" is waiting to start: ContainerCreating`);
    return runtime.openLog(record, request, signal);
  }
  if (newest?.phase !== 'running') throw apiErrors.badRequest(`container ${container} of pod ${request.pod} is not running`);
  return runtime.openExec(newest.id, request, signal);
}
