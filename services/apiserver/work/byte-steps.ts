/** Walks over many objects in steps of so many bytes: each object may have to be parsed, converted or rendered. */
import type { Pace } from '../../../apimachinery/object-service.js';

export interface ByteStepsOptions {
  /** Without one there are no steps. */
  readonly pace: Pace | undefined;
  readonly name: string;
  readonly step_bytes: number;
}

export class ByteSteps {
  readonly #options: ByteStepsOptions;
  #bytes = 0;

  constructor(options: ByteStepsOptions) {
    this.#options = options;
  }

  /** Before an object of so many bytes is looked at. A promise, when it is time for others: to be awaited first. */
  before(bytes: number): Promise<void> | undefined {
    const { pace, name, step_bytes } = this.#options;
    this.#bytes += bytes;
    if (pace === undefined || this.#bytes <= step_bytes) return undefined;
    this.#bytes = bytes;
    return pace.step(name, Infinity);
  }
}
