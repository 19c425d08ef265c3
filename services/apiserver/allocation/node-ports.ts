/**
 * Node ports of one Service: those it asks for are checked, the others chosen. Entries with one port number and
 * different protocols share a node port, as DNS over TCP and UDP wants it.
 */
import type { Service, ServicePort, ServiceSpec } from '../../../apimachinery/gen/types.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import type { Random } from '../../../platform/random.js';

/** Both ends belong to the range. */
interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface NodePortFacts {
  readonly range: PortRange;
  readonly random: Random;
  /** The Service as it is stored; undefined when it is created. */
  readonly before: ServiceSpec | undefined;
  /** Node ports of all other Services. */
  readonly used: ReadonlySet<number>;
}

const KIND = { group: '', kind: 'Service' };

const needsHealthCheck = (spec: ServiceSpec | undefined): boolean =>
  spec?.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

/** The spec is changed in place. */
export function chooseNodePorts(service: Service, facts: NodePortFacts): void {
  const { spec } = service;
  if (spec === undefined) return;
  const chooser = new Chooser(service, facts);
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') chooser.choose(spec);
  if (needsHealthCheck(spec) && !needsHealthCheck(facts.before)) chooser.chooseHealthCheck(spec);
}

class Chooser {
  readonly #facts: NodePortFacts;
  readonly #name: string;
  readonly #used: Set<number>;
  /** Of the Service itself: checked once, when they were chosen. */
  readonly #own: ReadonlySet<number>;

  constructor(service: Service, facts: NodePortFacts) {
    this.#facts = facts;
    this.#name = service.metadata?.name ?? '';
    this.#used = new Set(facts.used);
    this.#own = new Set(portsOf(facts.before));
  }

  choose(spec: ServiceSpec): void {
    const ports = spec.ports ?? [];
    const chooses = spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false;
    const byPort = new Map<number, number>();
    for (const { port, nodePort = 0 } of ports)
      if (nodePort !== 0 && !byPort.has(port ?? 0)) byPort.set(port ?? 0, nodePort);
    const checked = new Set<number>();
    for (const [index, port] of ports.entries()) {
      if ((port.nodePort ?? 0) === 0) {
        if (!chooses) continue;
        port.nodePort = this.#inherited(port, ports) ?? byPort.get(port.port ?? 0) ?? this.#free();
        byPort.set(port.port ?? 0, port.nodePort);
      }
      const chosen = port.nodePort ?? 0;
      if (!this.#own.has(chosen) && !checked.has(chosen)) this.#check(index, chosen);
      checked.add(chosen);
    }
    for (const port of checked) this.#used.add(port);
  }

  chooseHealthCheck(spec: ServiceSpec): void {
    const asked = spec.healthCheckNodePort ?? 0;
    const why = asked === 0 ? undefined : this.#complaint(asked);
    if (why !== undefined)
      throw apiErrors.internal(`failed to allocate requested HealthCheck NodePort ${asked}: ${why}`);
    spec.healthCheckNodePort = asked === 0 ? this.#free() : asked;
  }

  #complaint(port: number): string | undefined {
    const { first, last } = this.#facts.range;
    if (port < first || port > last)
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    return this.#used.has(port) ? 'provided port is already allocated' : undefined;
  }

  #check(index: number, port: number): void {
    const why = this.#facts.used.has(port) || !this.#used.has(port) ? this.#complaint(port) : undefined;
    if (why !== undefined)
      throw apiErrors.invalid(KIND, this.#name, [fieldErrors.invalid(`spec.ports[${index}].nodePort`, port, why)]);
  }

  /** The port this entry had before, unless another entry took its number. */
  #inherited(port: ServicePort, now: readonly ServicePort[]): number | undefined {
    const previous = this.#facts.before?.ports?.find(
      (p) => p.port === port.port && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )?.nodePort;
    return previous === undefined || previous === 0 || now.some((p) => p.nodePort === previous) ? undefined : previous;
  }

  #free(): number {
    const {
      range: { first, last },
      random,
    } = this.#facts;
    const count = last - first + 1;
    // The lowest sixteenth stays for explicit choices (KEP-3668).
    const band = Math.min(Math.floor(count / 16), 128);
    const start = random.int(count - band);
    for (let i = 0; i < count; i++) {
      const port = first + ((band + ((start + i) % count)) % count);
      if (this.#used.has(port)) continue;
      this.#used.add(port);
      return port;
    }
    throw apiErrors.internal('failed to allocate a nodePort: range is full');
  }
}

/** All node ports that a Service holds. */
export function portsOf(spec: ServiceSpec | undefined): number[] {
  return [...(spec?.ports ?? []).map(({ nodePort = 0 }) => nodePort), spec?.healthCheckNodePort ?? 0].filter(
    (port) => port !== 0,
  );
}
