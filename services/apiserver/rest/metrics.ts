import { Counter, Gauge, Histogram, Registry } from '../../../platform/metrics.js';
import type { Cacher } from '../cacher/cacher.js';
import type { FlowControl } from './flow.js';

/**
 * Names and labels follow kube-apiserver's. Label values come from the scheme's rows and fixed sets only
 * (CVE-2020-8552).
 */
export class RestMetrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'apiserver_request_total',
    help: 'Requests by verb, resource and code.',
    labelNames: ['verb', 'group', 'resource', 'code'],
    registers: [this.#registry],
  });
  readonly #durations = new Histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Time to the answer, of requests that are not streams.',
    labelNames: ['verb'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60],
    registers: [this.#registry],
  });

  readonly #more: (() => Promise<string>) | undefined;

  /** `more`: metrics of whatever stands beside the API server in this process, in the text format. */
  constructor(sources: {
    readonly flow: FlowControl;
    readonly cacher: Cacher;
    readonly more?: (() => Promise<string>) | undefined;
  }) {
    const { flow, cacher } = sources;
    this.#more = sources.more;
    new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests under way.',
      labelNames: ['request_kind'],
      registers: [this.#registry],
      collect() {
        for (const [kind, count] of Object.entries(flow.running())) this.set({ request_kind: kind }, count);
      },
    });
    new Gauge({
      name: 'apiserver_storage_objects',
      help: 'Objects in the watch cache.',
      labelNames: ['resource'],
      registers: [this.#registry],
      collect() {
        for (const { prefix, objects } of cacher.sizes()) if (objects > 0) this.set({ resource: prefix }, objects);
      },
    });
    new Gauge({
      name: 'apiserver_longrunning_watches',
      help: 'Watches that are open.',
      registers: [this.#registry],
      collect() {
        this.set(cacher.sizes().reduce((sum, { watchers }) => sum + watchers, 0));
      },
    });
  }

  observe(request: {
    readonly verb: string;
    readonly group: string;
    readonly resource: string;
    readonly code: number;
    readonly duration_s: number | undefined;
  }): void {
    this.#requests.inc({ verb: request.verb, group: request.group, resource: request.resource, code: request.code });
    if (request.duration_s !== undefined) this.#durations.observe({ verb: request.verb }, request.duration_s);
  }

  async text(): Promise<string> {
    const own = await this.#registry.metrics();
    // A store that does not answer must not hide the rest.
    const more = await this.#more?.().catch(() => '');
    return more === undefined ? own : `${own}${more}`;
  }
}
