/**
 * What every namespace has: the service account `default`, and the ConfigMap `kube-root-ca.crt` with which pods know the API
 * server when they see it (RootCAConfigMap).
 */
import { configMaps, namespaces, serviceAccounts } from '../../../apimachinery/gen/resources.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { Controller, done } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { ignoring } from '../lib/errors.js';

const ROOT_CA = 'kube-root-ca.crt';
const DESCRIPTION = 'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

export interface NamespaceDefaultsOptions {
  /** PEM of the authority behind the API servers' certificates. */
  readonly clusterAuthority: () => string;
}

/** There already, or the namespace is on its way out. */
const unlessRefused = ignoring('AlreadyExists', 'NotFound', 'Forbidden');

export function createNamespaceDefaultsController(context: ControllerContext, options: NamespaceDefaultsOptions): Controller {
  const all = context.informers.informer(namespaces);
  const accounts = context.informers.informer(serviceAccounts);
  const maps = context.informers.informer(configMaps, { fieldSelector: `metadata.name=${ROOT_CA}` });
  const namespaceOf = (object: KubeObject) => [object.metadata?.namespace ?? ''];
  return new Controller({
    name: 'namespace-defaults', clock: context.clock, logger: context.logger, workers: 2,
    sources: [
      sourceOf(all, bySelf),
      sourceOf(accounts, namespaceOf, { filter: (account) => account.metadata?.name === 'default' }),
      sourceOf(maps, namespaceOf),
    ],
    async reconcile(name, { signal }) {
      const namespace = all.lister.get(name);
      if (namespace === undefined || namespace.metadata?.deletionTimestamp !== undefined) return done;
      if (accounts.lister.getByRef({ namespace: name, name: 'default' }) === undefined) {
        await context.client.create(serviceAccounts, { metadata: { name: 'default', namespace: name } }, { signal }).catch(unlessRefused);
      }
      const wanted = { 'ca.crt': options.clusterAuthority() };
      const map = maps.lister.getByRef({ namespace: name, name: ROOT_CA });
      if (map === undefined) {
        const metadata = { name: ROOT_CA, namespace: name, annotations: { 'kubernetes.io/description': DESCRIPTION } };
        await context.client.create(configMaps, { metadata, data: wanted }, { signal }).catch(unlessRefused);
      } else if (map.data?.['ca.crt'] !== wanted['ca.crt'] || Object.keys(map.data).length !== 1) {
        await context.client.update(configMaps, { ...map, data: wanted }, { signal });
      }
      return done;
    },
  });
}
