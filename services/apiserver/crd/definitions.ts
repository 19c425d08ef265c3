/**
 * What the server does for CustomResourceDefinitions besides storing them: names are accepted and the definition
 * established in the very write that makes it, so that nobody waits for a controller; a deleted one goes after its
 * objects have gone.
 */
import type { ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject, ResourceId } from '../../../apimachinery/object.js';
import { at, str } from '../../../apimachinery/kinds/lib/value.js';
import { isApiError } from '../../../apimachinery/status.js';
import { cloneJson } from '../../../apimachinery/value.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import { Coalesced } from '../../../platform/coalesced.js';
import { toTime } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { Service } from '../../../platform/service.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import type { ObjectReader, WriteHook } from '../ports.js';
import type { DeletionRule } from '../registry/record.js';
import { isEstablished, namesAccepted, setCondition, statusOf } from './conditions.js';
import type { Store } from '../../store/store.js';
import { NO_GUARD } from '../registry/record.js';
import { DEFINITIONS } from './live-scheme.js';
import { guardNames } from './name-guards.js';

const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';
const CLEANUP_INTERVAL_MS = 1000;
const SYSTEM: UserInfo = { name: 'system:apiserver', groups: ['system:masters'] };

interface Parts {
  readonly reader: ObjectReader;
  readonly scheme: MutableScheme;
  readonly clock: Clock;
}

export interface HookParts extends Parts {
  readonly store: Store;
  /** Resolves when `reader` has everything acknowledged before. */
  readonly fresh: () => Promise<void>;
}

export function definitionHook({ reader, scheme, clock, store, fresh }: HookParts): WriteHook {
  return {
    async before({ operation, draft }) {
      if (operation === 'DELETE') return NO_GUARD;
      const guard = await guardNames(store, draft);
      if (guard !== NO_GUARD) await fresh();
      const now = toTime(clock.now());
      const builtIn = scheme.kinds().filter((kind) => scheme.isBuiltIn(kind));
      const accepted = namesAccepted(draft, reader.list(DEFINITIONS), builtIn);
      if (accepted.status === 'True') statusOf(draft)['acceptedNames'] = cloneJson(at(draft, 'spec', 'names'));
      else statusOf(draft)['acceptedNames'] ??= { kind: '', plural: '' };
      setCondition(draft, accepted, now);
      if (!isEstablished(draft)) {
        setCondition(
          draft,
          accepted.status === 'True'
            ? {
                type: 'Established',
                status: 'True',
                reason: 'InitialNamesAccepted',
                message: 'the initial names have been accepted',
              }
            : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' },
          now,
        );
      }
      return guard;
    },
  };
}

/** The first request to delete only marks: a finalizer of ours stays until the objects have gone. */
export function definitionDeletion(clock: Clock): DeletionRule {
  return {
    held: (definition) => definition.metadata?.deletionTimestamp === undefined,
    begin(draft) {
      const meta = draft.metadata ?? {};
      draft.metadata = {
        ...meta,
        finalizers: [...(meta.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP), CLEANUP],
      };
      setCondition(
        draft,
        {
          type: 'Terminating',
          status: 'True',
          reason: 'InstanceDeletionPending',
          message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
        },
        toTime(clock.now()),
      );
    },
  };
}

export interface CleanupOptions extends Parts {
  readonly as: (user: UserInfo) => ObjectService;
  readonly logger: Logger;
}

/**
 * Deletes the objects of definitions that are on their way out, then lets these go. Runs on every member: all do the
 * same.
 */
export class DefinitionCleanup implements Service {
  readonly name = 'crd-cleanup';
  readonly #options: CleanupOptions;
  #timer: Timer | undefined;
  readonly #rounds = new Coalesced({
    run: () => this.#round(),
    onFailure: (error) =>
      this.#options.logger.warn({ error: String(error) }, 'objects of deleted definitions were not looked for'),
  });

  constructor(options: CleanupOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    this.#timer = this.#options.clock.every(CLEANUP_INTERVAL_MS, () => this.#rounds.request());
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#rounds.stop();
  }

  async #round(): Promise<void> {
    const leaving = this.#options.reader
      .list(DEFINITIONS)
      .filter(
        ({ metadata }) => metadata?.deletionTimestamp !== undefined && metadata.finalizers?.includes(CLEANUP) === true,
      );
    for (const definition of leaving) {
      try {
        await this.#finish(definition);
      } catch (error) {
        // Another member was there first, or the store is not to be had now: the next round sees.
        if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) {
          this.#options.logger.warn(
            { definition: definition.metadata?.name, error: String(error) },
            'objects of a deleted definition could not be removed',
          );
        }
      }
    }
  }

  async #finish(definition: KubeObject): Promise<void> {
    const service = this.#options.as(SYSTEM);
    const { name = '' } = definition.metadata ?? {};
    const [group, resource] = [str(at(definition, 'spec', 'group')), str(at(definition, 'spec', 'names', 'plural'))];
    const served = this.#options.scheme
      .kinds()
      .find((kind) => kind.group === group && kind.resource === resource && kind.isCustom === true);
    if (served !== undefined && (await this.#removeAll(service, served)) > 0) return;
    const fresh = (await service.get({ resource: DEFINITIONS, name })).object;
    const finalizers = (fresh.metadata?.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP);
    await service.update({
      resource: DEFINITIONS,
      name,
      object: { ...fresh, metadata: { ...fresh.metadata, finalizers } },
    });
  }

  /** How many are left: those that finalizers of others hold. */
  async #removeAll(service: ObjectService, resource: ResourceId): Promise<number> {
    for (const { object } of (await service.list({ resource })).items) {
      const { namespace, name = '', deletionTimestamp } = object.metadata ?? {};
      if (deletionTimestamp !== undefined) continue;
      await service
        .delete({ resource, name, ...(namespace === undefined ? {} : { namespace }) })
        .catch((error: unknown) => {
          if (!isApiError(error, 'NotFound')) throw error;
        });
    }
    return (await service.list({ resource })).items.length;
  }
}
