/**
 * An APIService for each group and version of custom resources, local as those of built-in kinds: clients see by it
 * that this server answers (k8s.io/kubernetes/pkg/controlplane/controller/crdregistration). One that somebody else made
 * stays as it is.
 */
import { apiServices, customResourceDefinitions } from '../../../apimachinery/gen/resources.js';
import type { APIService, CustomResourceDefinition } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import { Controller, done } from '../../../sdk/controller/controller.js';
import { sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { equalJson } from '../lib/equal.js';
import { ignoring } from '../lib/errors.js';

const MANAGED = 'kube-aggregator.kubernetes.io/automanaged';
/** After all built-in groups; versions by their names. */
const PRIORITIES = { groupPriorityMinimum: 1000, versionPriority: 100 };

const isManaged = ({ metadata }: APIService): boolean => metadata?.labels?.[MANAGED] === 'true';
const nameOf = (group: string, version: string): string => `${version}.${group}`;

type WantedService = APIService & Required<Pick<APIService, 'spec' | 'status'>>;

/** What the APIService of this name should be; undefined when no definition serves its version. */
function wantedApiService(
  name: string,
  definitions: readonly CustomResourceDefinition[],
  now_ms: number,
): WantedService | undefined {
  for (const { spec } of definitions) {
    const version = spec?.versions?.find((one) => one.served === true && nameOf(spec.group, one.name) === name)?.name;
    if (spec === undefined || version === undefined) continue;
    return {
      metadata: { name, labels: { [MANAGED]: 'true' } },
      spec: { group: spec.group, version, ...PRIORITIES },
      status: {
        conditions: [
          {
            type: 'Available',
            status: 'True',
            reason: 'Local',
            message: 'Local APIServices are always available',
            lastTransitionTime: toTime(now_ms),
          },
        ],
      },
    };
  }
  return undefined;
}

export function createCrdRegistrationController({ client, clock, logger, informers }: ControllerContext): Controller {
  const definitions = informers.informer(customResourceDefinitions);
  const services = informers.informer(apiServices);
  // A version may have left its definition: what is there for the group is looked at, too.
  const namesFor = ({ spec }: CustomResourceDefinition) => [
    ...(spec?.versions ?? []).map(({ name }) => nameOf(spec?.group ?? '', name)),
    ...services.lister
      .list()
      .filter((service) => isManaged(service) && service.spec?.group === spec?.group)
      .map(({ metadata }) => metadata?.name ?? ''),
  ];
  return new Controller({
    name: 'crd-registration',
    clock,
    logger,
    workers: 1,
    sources: [sourceOf(definitions, namesFor), sourceOf(services, ({ metadata }) => [metadata?.name ?? ''])],
    async reconcile(name, { signal }) {
      const stored = services.lister.get(name);
      const wanted = wantedApiService(name, definitions.lister.list(), clock.now());
      if (stored !== undefined && !isManaged(stored)) return done;
      if (wanted === undefined) {
        if (stored !== undefined) await client.delete(apiServices, { name }, { signal }).catch(ignoring('NotFound'));
        return done;
      }
      if (stored === undefined) await client.create(apiServices, wanted, { signal }).catch(ignoring('AlreadyExists'));
      else if (!equalJson(stored.spec, wanted.spec))
        await client.update(apiServices, { ...stored, spec: wanted.spec }, { signal });
      // Creating ignores the status: its own event brings the object here again.
      else if ((stored.status?.conditions ?? []).length === 0)
        await client.updateStatus(apiServices, { ...stored, status: wanted.status }, { signal });
      return done;
    },
  });
}
