import type { StrategyContext } from '../../../apimachinery/kind.js';
import type { BodyIssues, CallOptions, Pace, UserInfo } from '../../../apimachinery/object-service.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import type { Clock } from '../../../platform/clock.js';
import { inSlices } from '../../../platform/work.js';
import type { Work } from '../../../platform/work.js';
import type { Random } from '../../../platform/random.js';
import type { Cacher } from '../cacher/cacher.js';
import type { Admission } from '../ports.js';
import type { Store } from '../../store/store.js';
import type { ResourceRecords } from './record.js';
import { storageKey } from './target.js';
import type { Target } from './target.js';

export interface RegistryContext {
  readonly scheme: MutableScheme;
  readonly store: Store;
  readonly cacher: Cacher;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly random: Random;
  readonly records: ResourceRecords;
}

/** One request on its way through the registry. */
export interface Call {
  readonly registry: RegistryContext;
  readonly user: UserInfo;
  readonly options: CallOptions;
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  readonly body?: BodyIssues | undefined;
}

export function strategyContext(call: Call, target: Target): StrategyContext {
  const { registry } = call;
  return {
    user: call.user,
    now_ms: registry.clock.now(),
    uuid: () => registry.random.uuid(),
    namespaceLabels: () => labelsOfNamespace(registry, target.namespace),
    ...(target.subresource === undefined ? {} : { subresource: target.subresource.name }),
  };
}

function labelsOfNamespace(
  { scheme, cacher }: RegistryContext,
  name: string | undefined,
): Readonly<Record<string, string>> {
  const namespaces = scheme.byResource(NAMESPACES);
  if (namespaces === undefined || name === undefined) return {};
  return (
    cacher
      .of(namespaces)
      .get(storageKey(namespaces, undefined, name))
      ?.as(namespaces).object.metadata?.labels ?? {}
  );
}

const NAMESPACES = { group: '', version: 'v1', resource: 'namespaces' };

/**
 * Before each step that walks the whole object: the thread is shared. `bytes`: of the stored object, where there is
 * one.
 */
export async function step(call: Call, name: string, bytes?: number): Promise<void> {
  await call.options.pace?.step(name, bytes);
}

/**
 * Work that may be long on a small object: others get their turn after each slice, also when a component of the server
 * is the caller.
 */
export function paced<T>(call: Call, name: string, work: Work<T>): Promise<T> {
  const pace = paceOf(call.registry, call.options);
  return inSlices(work, () => pace.step(name, Infinity));
}

/** The caller's, or for components of the server a turn of the loop for each step. */
export function paceOf({ clock }: Pick<RegistryContext, 'clock'>, { pace }: Pick<CallOptions, 'pace'>): Pace {
  return pace ?? { step: () => new Promise((resolve) => clock.immediate(resolve)) };
}

export function warn(call: Call, message: string): void {
  call.options.report?.warn(message);
}
