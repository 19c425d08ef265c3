/**
 * Starts and stops the probers of a pod's containers as these come and go, and writes their verdicts into its memory.
 */
import { approximate } from '../../../apimachinery/int64.js';
import { Prober } from '../probes/prober.js';
import type { ProbeKind } from '../probes/prober.js';
import type { ContainerRecord, RuntimeSnapshot } from '../runtime/runtime.js';
import { newestSandbox, recordsOf } from './decide.js';
import type { PodEnvironment } from './environment.js';
import type { PodMemory } from './memory.js';
import { memoryOf } from './memory.js';
import { containersOf, fieldPathOf, keyOf, specOf } from '../pod-spec/spec.js';
import type { RoledContainer } from '../pod-spec/spec.js';
import type { Pod } from '../pod-spec/types.js';

const TITLES: Readonly<Record<ProbeKind, string>> = {
  startup: 'Startup',
  liveness: 'Liveness',
  readiness: 'Readiness',
};

export class ContainerProbes {
  readonly #environment: PodEnvironment;
  readonly #memory: PodMemory;
  readonly #pod: () => Pod;
  readonly #changed: () => void;
  readonly #probers = new Map<string, Prober>();

  constructor(environment: PodEnvironment, memory: PodMemory, pod: () => Pod, changed: () => void) {
    this.#environment = environment;
    this.#memory = memory;
    this.#pod = pod;
    this.#changed = changed;
  }

  follow(runtime: RuntimeSnapshot): void {
    const running = new Set<string>();
    const podIP =
      newestSandbox(runtime)?.ips[0] ?? (this.#pod().spec?.hostNetwork === true ? this.#environment.hostIP : '');
    for (const roled of containersOf(specOf(this.#pod()))) {
      const [record] = recordsOf(runtime, roled.container.name);
      if (record?.phase !== 'running' || roled.role === 'init' || roled.role === 'ephemeral') continue;
      running.add(record.id);
      if (!this.#probers.has(record.id)) this.#start(roled, record, podIP);
    }
    for (const id of this.#probers.keys()) {
      if (!running.has(id)) this.release(id);
    }
  }

  /** The container is about to be stopped: its failures are no news. */
  release(id: string): void {
    this.#probers.get(id)?.stop();
    this.#probers.delete(id);
  }

  stop(): void {
    for (const prober of this.#probers.values()) prober.stop();
    this.#probers.clear();
  }

  #start(roled: RoledContainer, record: ContainerRecord, podIP: string): void {
    const { container } = roled;
    const event = (kind: ProbeKind, message: string) =>
      this.#environment.event({
        key: keyOf(this.#pod()),
        fieldPath: fieldPathOf(roled),
        type: 'Warning',
        reason: 'Unhealthy',
        message: `${TITLES[kind]} probe failed: ${message}`,
      });
    const { startup, readiness } = memoryOf(this.#memory, container.name);
    const prober = new Prober({
      container,
      initial: { startup, readiness },
      clock: this.#environment.clock,
      random: this.#environment.random,
      check: (probe) => this.#environment.runHandler(probe, container, record, podIP, probe.timeoutSeconds ?? 1),
      onFailure: event,
      onVerdict: (kind, ok) => this.#verdict(roled, record, kind, ok),
    });
    this.#probers.set(record.id, prober);
    prober.start();
  }

  #verdict(roled: RoledContainer, record: ContainerRecord, kind: ProbeKind, ok: boolean): void {
    const remembered = memoryOf(this.#memory, roled.container.name);
    if (remembered.containerId !== record.id) return;
    remembered[kind] = ok;
    if (!ok && kind !== 'readiness') {
      const probe = kind === 'startup' ? roled.container.startupProbe : roled.container.livenessProbe;
      const grace_s = probe?.terminationGracePeriodSeconds;
      remembered.kill = {
        reason: 'Unhealthy',
        message: `Container ${record.name} failed ${kind} probe, will be restarted`,
        ...(grace_s === undefined ? {} : { grace_s: approximate(grace_s) }),
      };
    }
    this.#changed();
  }
}
