/**
 * What people and other components see of a decision: events and the condition PodScheduled. Never holds up scheduling.
 */
import type { Clock } from '../../platform/clock.js';
import { toTime } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import { pods } from '../../apimachinery/gen/resources.js';
import type { Pod } from '../../apimachinery/gen/types.js';
import { isApiError } from '../../apimachinery/status.js';
import type { Client } from '../../sdk/client.js';
import type { EventRecorder } from '../../sdk/events/event-recorder.js';
import type { PodInfo } from './framework/pod-info.js';

export interface ReporterOptions {
  readonly client: Client;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export type FailureReason = 'Unschedulable' | 'SchedulerError' | 'SchedulingGated';

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #pending = new Set<Promise<void>>();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Resolves when what was reported so far is written or given up. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  scheduled({ pod, key }: PodInfo, node: string): void {
    this.#options.events.event(
      { resource: pods, object: pod },
      'Normal',
      'Scheduled',
      `Successfully assigned ${key} to ${node}`,
      'Binding',
    );
  }

  /** `nominatedNode`: where room is being made, '' for nowhere; undefined leaves what is there. */
  failed({ pod }: PodInfo, reason: FailureReason, message: string, nominatedNode?: string): void {
    if (reason !== 'SchedulingGated') {
      this.#options.events.event({ resource: pods, object: pod }, 'Warning', 'FailedScheduling', message, 'Scheduling');
    }
    const writing = this.#writeCondition(pod, { reason, message }, nominatedNode);
    this.#pending.add(writing);
    void writing.finally(() => this.#pending.delete(writing));
  }

  preempted(victim: PodInfo, by: PodInfo, node: string): void {
    this.#options.events.event(
      { resource: pods, object: victim.pod },
      'Normal',
      'Preempted',
      `Preempted by pod ${by.uid} on node ${node}`,
      'Preempting',
    );
  }

  async #writeCondition(
    pod: Pod,
    what: { readonly reason: FailureReason; readonly message: string },
    nominatedNode: string | undefined,
  ): Promise<void> {
    const { client, clock, logger, signal } = this.#options;
    const { namespace, name = '' } = pod.metadata ?? {};
    const old = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
    const changes = nominatedNode !== undefined && nominatedNode !== (pod.status?.nominatedNodeName ?? '');
    const nomination = changes ? { nominatedNodeName: nominatedNode === '' ? null : nominatedNode } : {};
    const same = old?.status === 'False' && old.reason === what.reason && old.message === what.message;
    if (same && !changes) return;
    const lastTransitionTime = old?.status === 'False' ? old.lastTransitionTime : toTime(clock.now());
    const condition = { type: 'PodScheduled', status: 'False', ...what, lastProbeTime: null, lastTransitionTime };
    const body = { metadata: { uid: pod.metadata?.uid }, status: { conditions: [condition], ...nomination } };
    try {
      await client.patch(
        pods,
        namespace === undefined ? { name } : { namespace, name },
        { type: 'strategic', body },
        { subresource: 'status', signal },
      );
    } catch (error) {
      if (signal.aborted || isApiError(error, 'NotFound') || isApiError(error, 'Conflict')) return;
      logger.warn({ pod: name, namespace, error: String(error) }, 'the condition PodScheduled could not be written');
    }
  }
}
