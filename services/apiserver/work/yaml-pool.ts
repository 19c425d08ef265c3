/**
 * Large YAML is read and written on a thread of its own: its parser takes a hundred times as long as JSON's. The thread
 * is started when it is first needed, and ended when a task takes too long: that one is refused, the others go to a new
 * one.
 */
import { Worker } from 'node:worker_threads';
import type { YamlBody } from '../../../apimachinery/codec/yaml.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import { runYamlTask } from './yaml-tasks.js';
import type { YamlAnswer, YamlResult, YamlTask } from './yaml-tasks.js';

/** Smaller YAML is read where it came. */
const YAML_INLINE_BYTES_MAX = 4 * 1024;
const TASK_MS_MAX = 10_000;
const WAITING_MAX = 64;
/** A heap of its own: what one body makes of it ends that thread, and not the process. */
const HEAP_MIB_MAX = 512;

interface Pending {
  readonly id: number;
  readonly task: YamlTask;
  readonly resolve: (result: YamlResult) => void;
  readonly reject: (error: Error) => void;
}

export class YamlPool {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #url: URL | undefined;
  #worker: Worker | undefined;
  #current: Pending | undefined;
  #deadline: Timer | undefined;
  #waiting: Pending[] = [];
  #lastId = 0;

  /** `thread`: the compiled entry of the thread; undefined: everything is done here. */
  constructor(clock: Pick<Clock, 'after'>, thread = threadUrl()) {
    this.#clock = clock;
    this.#url = thread;
  }

  /** Throws ApiError as readYaml does; ServiceUnavailable for a body that takes too long. */
  async read(bytes: Uint8Array): Promise<YamlBody> {
    const result = await this.#run({ kind: 'read', bytes }, bytes.length);
    return result.kind === 'body' ? result.body : { value: null, duplicates: [] };
  }

  /** An object, as JSON, as YAML. */
  async write(json: Uint8Array): Promise<Uint8Array> {
    const result = await this.#run({ kind: 'write', json }, json.length);
    return result.kind === 'text' ? result.bytes : new Uint8Array();
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    for (const pending of [this.#current, ...this.#waiting])
      pending?.reject(apiErrors.serviceUnavailable('the server is stopping'));
    this.#current = undefined;
    this.#waiting = [];
    this.#deadline?.cancel();
    await worker?.terminate();
  }

  async #run(task: YamlTask, bytes: number): Promise<YamlResult> {
    if (bytes <= YAML_INLINE_BYTES_MAX || this.#url === undefined) return runYamlTask(task);
    if (this.#waiting.length >= WAITING_MAX)
      throw apiErrors.tooManyRequests(
        'the server has too many large YAML bodies at hand; please try again later, or send JSON',
        1,
      );
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: ++this.#lastId, task, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current !== undefined || this.#url === undefined) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#current = next;
    this.#worker ??= this.#start(this.#url);
    this.#worker.postMessage({ id: next.id, task: next.task });
    this.#deadline = this.#clock.after(TASK_MS_MAX, () =>
      this.#lose(apiErrors.serviceUnavailable('the YAML takes too long to read or write; use JSON')),
    );
  }

  #start(url: URL): Worker {
    const worker = new Worker(url, { name: 'yaml', resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX } });
    worker.unref();
    worker.on('message', ({ id, answer }: { readonly id: number; readonly answer: YamlAnswer }) =>
      this.#answered(id, answer),
    );
    worker.on('error', () => {
      if (this.#worker === worker)
        this.#lose(apiErrors.requestEntityTooLarge('the YAML takes too much memory to read or write; use JSON'));
    });
    return worker;
  }

  #answered(id: number, answer: YamlAnswer): void {
    const current = this.#current;
    if (current === undefined || current.id !== id) return;
    this.#deadline?.cancel();
    this.#current = undefined;
    if (answer.kind === 'done') current.resolve(answer.result);
    else current.reject(answer.kind === 'refused' ? new ApiError(answer.status) : new Error(answer.message));
    this.#next();
  }

  /** The thread is given up, and with it what it was doing. */
  #lose(error: Error): void {
    this.#deadline?.cancel();
    const worker = this.#worker;
    const current = this.#current;
    this.#worker = undefined;
    this.#current = undefined;
    void worker?.terminate();
    current?.reject(error);
    this.#next();
  }
}

/** The compiled entry beside this file; there is none beside the source. */
function threadUrl(): URL | undefined {
  const here = import.meta.url;
  return here.endsWith('.js') ? new URL('./yaml-thread.js', here) : undefined;
}
