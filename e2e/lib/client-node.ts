/**
 * `@kubernetes/client-node`, a client nobody here wrote: lists, creates, patches, deletes, and watches through a
 * server's death.
 */
import {
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  Watch,
  type V1ConfigMap,
} from '@kubernetes/client-node';
import { expect } from 'vitest';
import { configMaps } from '../../apimachinery/gen/resources.js';
import { isApiError } from '../../apimachinery/status.js';
import type { Client } from '../../sdk/client.js';
import { sleep, until } from './until.js';

export interface ClientNodeOptions {
  /** Names the one server that will die. */
  readonly kubeconfig: string;
  /** On all servers. */
  readonly client: Client;
  /** Kills the server of that address; what it returns resolves when it has been started again. */
  dies(address: string): Promise<() => Promise<void>>;
}

export async function clientNodeThroughDeath({ kubeconfig, client, dies }: ClientNodeOptions): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const namespace = 'default';
  const { metadata } = await api.listNamespacedConfigMap({ namespace });

  const seen: string[] = [];
  let resourceVersion = metadata?.resourceVersion;
  let stopped = false;
  let abort = () => {};
  // As the client's informer does: resume from the last version when a connection ends.
  const watching = (async () => {
    while (!stopped) {
      await new Promise<void>((resolve) => {
        const onEvent = (type: string, object: V1ConfigMap) => {
          resourceVersion = object.metadata?.resourceVersion ?? resourceVersion;
          seen.push(`${type} ${object.metadata?.name ?? ''} ${object.data?.['step'] ?? ''}`);
        };
        new Watch(config)
          .watch(
            `/api/v1/namespaces/${namespace}/configmaps`,
            { resourceVersion, labelSelector: 'test=client-node' },
            onEvent,
            () => resolve(),
          )
          .then(
            (controller) => {
              abort = () => controller.abort();
            },
            () => resolve(),
          );
      });
      await sleep(50);
    }
  })();

  const body = (name: string): V1ConfigMap => ({
    metadata: { name, labels: { test: 'client-node' } },
    data: { step: '1' },
  });
  await api.createNamespacedConfigMap({ namespace, body: body('client-node-a') });
  await until('the first event', () => seen.length === 1);
  // The server this client talks to dies, and comes back.
  const returned = await dies(config.getCurrentCluster()?.server ?? '');
  // In the moment of the death the outcome of a write may be unknown: asked again, it has happened or happens now.
  await until('a write through another server', () =>
    client
      .create(configMaps, {
        metadata: { name: 'client-node-b', namespace, labels: { test: 'client-node' } },
        data: { step: '1' },
      })
      .then(
        () => true,
        (error: unknown) => isApiError(error, 'AlreadyExists'),
      ),
  );
  await returned();
  const patch = { name: 'client-node-a', namespace, body: { data: { step: '2' } } };
  await until('the server to answer', () =>
    api.patchNamespacedConfigMap(patch, setHeaderOptions('Content-Type', PatchStrategy.MergePatch)),
  );
  await api.deleteNamespacedConfigMap({ name: 'client-node-a', namespace });
  await until('the last event', () => seen.some((event) => event.startsWith('DELETED')));
  stopped = true;
  abort();
  await watching;
  expect(seen).toEqual([
    'ADDED client-node-a 1',
    'ADDED client-node-b 1',
    'MODIFIED client-node-a 2',
    'DELETED client-node-a 2',
  ]);
  await expect(api.readNamespacedConfigMap({ name: 'client-node-a', namespace })).rejects.toMatchObject({ code: 404 });
  expect(
    (await api.listNamespacedConfigMap({ namespace, labelSelector: 'test=client-node' })).items.map(
      (item) => item.metadata?.name,
    ),
  ).toEqual(['client-node-b']);
}
