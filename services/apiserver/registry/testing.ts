/**
 * What tests of the registry and of the fronts stand on: everything in memory, everybody allowed. For test files only.
 */
import type { Kind, Scheme } from '../../../apimachinery/kind.js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { Resource, UnknownObject } from '../../../apimachinery/object.js';
import { builtInScheme } from '../../../apimachinery/scheme/builtin.js';
import { isApiError } from '../../../apimachinery/status.js';
import { systemClock } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { seededRandom } from '../../../platform/random.js';
import { MemoryStore } from '../../store/backend/memory-store.js';
import { Cacher } from '../cacher/cacher.js';
import type { Admission } from '../ports.js';
import { Registry } from './registry.js';

export const admin: UserInfo = { name: 'admin', groups: ['system:masters'] };
export const admitEverything: Admission = { mutate: () => Promise.resolve(), validate: () => Promise.resolve() };

const resource = (group: string, version: string, plural: string, kind: string, namespaced = true): Resource => ({
  group,
  version,
  resource: plural,
  kind,
  namespaced,
});

export const resources = {
  pods: resource('', 'v1', 'pods', 'Pod'),
  configMaps: resource('', 'v1', 'configmaps', 'ConfigMap'),
  namespaces: resource('', 'v1', 'namespaces', 'Namespace', false),
  nodes: resource('', 'v1', 'nodes', 'Node', false),
  deployments: resource('apps', 'v1', 'deployments', 'Deployment'),
};

export interface TestRegistryOptions {
  readonly admission?: Admission;
  readonly clock?: Clock;
}

export async function startRegistry(options: TestRegistryOptions = {}) {
  const clock = options.clock ?? systemClock;
  const store = new MemoryStore({ clock });
  const scheme = builtInScheme();
  const cacher = new Cacher({ store, clock, logger: silentLogger, kinds: scheme.kinds() });
  const registry = new Registry({
    scheme,
    store,
    cacher,
    clock,
    random: seededRandom(1),
    admission: options.admission ?? admitEverything,
  });
  await cacher.start();
  return {
    store,
    scheme,
    cacher,
    registry,
    service: registry.as(admin),
    async [Symbol.asyncDispose]() {
      await cacher.stop();
      await store.close();
    },
  };
}

/** The causes of a refusal, each as `field: message`; none when the write is taken. */
export async function complaintsOf(write: () => Promise<unknown>): Promise<readonly string[]> {
  try {
    await write();
    return [];
  } catch (error) {
    if (!isApiError(error)) throw error;
    return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

export function kindOf(scheme: Pick<Scheme, 'kinds'>, object: UnknownObject): Kind {
  const kind = scheme
    .kinds()
    .find(
      (row) =>
        row.kind === object.kind &&
        object.apiVersion === (row.group === '' ? row.version : `${row.group}/${row.version}`),
    );
  if (kind === undefined) throw new Error(`no kind ${String(object.kind)}`);
  return kind;
}

export const configMap = (name: string, data: Record<string, string> = {}): UnknownObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

export const pod = (name: string, labels: Record<string, string> = {}): UnknownObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: { containers: [{ name: 'main', image: 'image:1' }] },
});
