import { apiErrors } from '../../../apimachinery/status.js';

/** kube-apiserver's defaults: --max-requests-inflight and --max-mutating-requests-inflight. */
const READS_MAX = 400;
const WRITES_MAX = 200;
/** Watches, logs and upgrades last: they are bounded by what a process can hold open. */
const LONG_RUNNING_MAX = 20_000;

export type FlowClass = 'read' | 'write' | 'long-running' | 'exempt';

/**
 * Bounds what is under way at a time; beyond it clients are told to come back, so that memory and latency stay bounded.
 */
export class FlowControl {
  readonly #limits: Readonly<Record<FlowClass, number>>;
  readonly #running: Record<FlowClass, number> = { read: 0, write: 0, 'long-running': 0, exempt: 0 };

  constructor(limits: Partial<Record<FlowClass, number>> = {}) {
    this.#limits = {
      read: READS_MAX,
      write: WRITES_MAX,
      'long-running': LONG_RUNNING_MAX,
      exempt: Infinity,
      ...limits,
    };
  }

  /** Enters; call what it returns, once, when the request is over. Throws TooManyRequests. */
  enter(flowClass: FlowClass): () => void {
    if (this.#running[flowClass] >= this.#limits[flowClass]) {
      throw apiErrors.tooManyRequests(
        'the server has received too many requests and has asked us to try again later',
        1,
      );
    }
    this.#running[flowClass]++;
    let inside = true;
    return () => {
      if (inside) this.#running[flowClass]--;
      inside = false;
    };
  }

  running(): Readonly<Record<FlowClass, number>> {
    return { ...this.#running };
  }
}
