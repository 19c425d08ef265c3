/**
 * What a worker counts, in Prometheus' words. Label values come from sets written in our code, never from objects
 * (CVE-2020-8552).
 */
import type { PartFaults } from '../../../platform/containment.js';
import { Counter, Gauge, Registry, collectDefaultMetrics } from '../../../platform/metrics.js';

export interface AgentFigures {
  readonly runtime: string;
  /** Pods by phase. */
  readonly phases: ReadonlyMap<string, number>;
  readonly runningContainers: number;
  readonly hasPrimary: boolean;
  /** Happenings since the start, by type and by reason as the agent's code names it. */
  readonly events: readonly { readonly type: string; readonly reason: string; readonly count: number }[];
  readonly faults: readonly PartFaults[];
}

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed'];

export class AgentMetrics {
  readonly #figures: () => AgentFigures;
  readonly #registry = new Registry();
  readonly #events: Counter<'type' | 'reason'>;
  readonly #pods: Gauge<'phase'>;
  readonly #containers: Gauge;
  readonly #primary: Gauge;
  readonly #info: Gauge<'runtime'>;
  readonly #faults: Counter<'part'>;

  constructor(figures: () => AgentFigures) {
    this.#figures = figures;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#events = new Counter({
      name: 'navarch_agent_pod_events_total',
      help: 'What happened to pods on this node.',
      labelNames: ['type', 'reason'],
      registers,
    });
    this.#pods = new Gauge({
      name: 'navarch_agent_pods',
      help: 'Pods on this node, by phase.',
      labelNames: ['phase'],
      registers,
    });
    this.#containers = new Gauge({
      name: 'navarch_agent_running_containers',
      help: 'Containers that run on this node.',
      registers,
    });
    this.#primary = new Gauge({
      name: 'navarch_agent_has_primary',
      help: '1 while a member leads this node.',
      registers,
    });
    this.#faults = new Counter({
      name: 'navarch_agent_part_faults_total',
      help: 'Faults that were contained, by the part of the worker that they ended or restarted.',
      labelNames: ['part'],
      registers,
    });
    this.#info = new Gauge({
      name: 'navarch_agent_info',
      help: 'The container runtime of this node.',
      labelNames: ['runtime'],
      registers,
    });
  }

  async text(): Promise<{ readonly contentType: string; readonly text: string }> {
    const { runtime, phases, runningContainers, hasPrimary, events, faults } = this.#figures();
    for (const phase of PHASES) this.#pods.set({ phase }, phases.get(phase) ?? 0);
    this.#containers.set(runningContainers);
    this.#primary.set(hasPrimary ? 1 : 0);
    this.#info.set({ runtime }, 1);
    this.#faults.reset();
    for (const { part, count } of faults) this.#faults.inc({ part }, count);
    this.#events.reset();
    for (const { type, reason, count } of events) this.#events.inc({ type, reason }, count);
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
