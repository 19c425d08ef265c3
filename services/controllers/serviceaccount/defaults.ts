/** What every namespace has: the account `default`, and the authority of the cluster in a ConfigMap (KEP-1205). */
import { configMaps, namespaces, serviceAccounts } from '../../../apimachinery/gen/resources.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import { Controller, done } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { ignoring } from '../lib/errors.js';

const DEFAULT_ACCOUNT = 'default';
const ROOT_CA = 'kube-root-ca.crt';
const DESCRIPTION =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

export interface RootCaPublisherOptions {
  /** PEM of the authority behind the API servers' certificates. */
  readonly clusterAuthority: () => string;
}

/** A caller without the right is told Forbidden too, and that must not be passed over. */
const isNamespaceGoing = (error: unknown) =>
  isApiError(error, 'Forbidden') &&
  (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating');

/** There already, or the namespace is on its way out. */
function unlessRefused(error: unknown): void {
  if (!isNamespaceGoing(error)) ignoring('AlreadyExists', 'NotFound')(error);
}

const namespaceOf = (object: KubeObject) => [object.metadata?.namespace ?? ''];

export function createServiceAccountController(context: ControllerContext): Controller {
  const all = context.informers.informer(namespaces);
  const accounts = context.informers.informer(serviceAccounts);
  return new Controller({
    name: 'serviceaccount',
    clock: context.clock,
    logger: context.logger,
    workers: 2,
    sources: [
      sourceOf(all, bySelf),
      sourceOf(accounts, namespaceOf, { filter: (account) => account.metadata?.name === DEFAULT_ACCOUNT }),
    ],
    async reconcile(namespace, { signal }) {
      const found = all.lister.get(namespace);
      if (found === undefined || found.metadata?.deletionTimestamp !== undefined) return done;
      const metadata = { name: DEFAULT_ACCOUNT, namespace };
      if (accounts.lister.getByRef(metadata) !== undefined) return done;
      await context.client.create(serviceAccounts, { metadata }, { signal }).catch(unlessRefused);
      return done;
    },
  });
}

export function createRootCaPublisher(context: ControllerContext, options: RootCaPublisherOptions): Controller {
  const all = context.informers.informer(namespaces);
  const maps = context.informers.informer(configMaps, { fieldSelector: `metadata.name=${ROOT_CA}` });
  return new Controller({
    name: 'root-ca-certificate-publisher',
    clock: context.clock,
    logger: context.logger,
    workers: 2,
    sources: [sourceOf(all, bySelf), sourceOf(maps, namespaceOf)],
    async reconcile(namespace, { signal }) {
      const found = all.lister.get(namespace);
      if (found === undefined || found.metadata?.deletionTimestamp !== undefined) return done;
      const data = { 'ca.crt': options.clusterAuthority() };
      const map = maps.lister.getByRef({ namespace, name: ROOT_CA });
      if (map === undefined) {
        const metadata = { name: ROOT_CA, namespace, annotations: { 'kubernetes.io/description': DESCRIPTION } };
        await context.client.create(configMaps, { metadata, data }, { signal }).catch(unlessRefused);
      } else if (map.data?.['ca.crt'] !== data['ca.crt'] || Object.keys(map.data).length !== 1) {
        await context.client.update(configMaps, { ...map, data }, { signal });
      }
      return done;
    },
  });
}
