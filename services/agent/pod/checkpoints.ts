/**
 * What the agent was last told, on disk: an agent that starts while no member can be reached adopts its pods, and starts again what of
 * them has ended. Pods and ConfigMaps only: Secrets never touch a disk. What is read back is as old as it is; the first member that
 * can be reached says what has changed since.
 */
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeJson, parseJson } from '../../../apimachinery/json-value.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import { writeFileAtomic } from '../../../platform/pki/files.js';
import type { ConfigMap, Pod } from '../pod-spec/types.js';

export interface CheckpointedPod {
  readonly pod: Pod;
  readonly serviceEnvironment: Readonly<Record<string, string>>;
}

export interface Checkpointed {
  readonly pods: readonly CheckpointedPod[];
  readonly configMaps: readonly ConfigMap[];
}

export interface Checkpoints {
  savePod(checkpoint: CheckpointedPod): void;
  saveConfigMap(object: ConfigMap): void;
  removePod(uid: string): void;
  removeConfigMap(namespace: string, name: string): void;
  load(): Promise<Checkpointed>;
  /** Writes what is waiting. */
  close(): Promise<void>;
}

export const noCheckpoints: Checkpoints = {
  savePod: () => undefined, saveConfigMap: () => undefined, removePod: () => undefined, removeConfigMap: () => undefined,
  load: () => Promise.resolve({ pods: [], configMaps: [] }), close: () => Promise.resolve(),
};

/** Pods change often while they start: what comes in between is written once. */
const DELAY_MS = 1_000;
const SAFE_FILE = /^(pod|configmap)_[A-Za-z0-9][A-Za-z0-9._-]*\.json$/;

export class FileCheckpoints implements Checkpoints {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** By file name: what it is to hold; undefined: it is to go. */
  readonly #waiting = new Map<string, string | undefined>();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: { readonly directory: string; readonly clock: Clock; readonly logger: Logger }) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  savePod(checkpoint: CheckpointedPod): void {
    const { uid = '', deletionTimestamp } = checkpoint.pod.metadata ?? {};
    // That a pod is to end must not be forgotten for the sake of a few writes.
    this.#put(`pod_${uid}.json`, encodeJson(checkpoint), deletionTimestamp === undefined ? DELAY_MS : 0);
  }

  saveConfigMap(object: ConfigMap): void {
    this.#put(configMapFile(object.metadata?.namespace ?? '', object.metadata?.name ?? ''), encodeJson(object), DELAY_MS);
  }

  removePod(uid: string): void {
    this.#put(`pod_${uid}.json`, undefined, 0);
  }

  removeConfigMap(namespace: string, name: string): void {
    this.#put(configMapFile(namespace, name), undefined, DELAY_MS);
  }

  async load(): Promise<Checkpointed> {
    const pods: CheckpointedPod[] = [];
    const configMaps: ConfigMap[] = [];
    for (const name of await readdir(this.#directory).catch(() => [])) {
      if (!SAFE_FILE.test(name)) continue;
      const value = await this.#read(name);
      if (value === undefined) continue;
      if (name.startsWith('configmap_')) configMaps.push(value as ConfigMap);
      else if (isCheckpoint(value)) pods.push(value);
    }
    return { pods, configMaps };
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#flush();
  }

  #put(file: string, text: string | undefined, delay_ms: number): void {
    if (!SAFE_FILE.test(file)) return;
    this.#waiting.set(file, text);
    if (delay_ms > 0 && this.#timer !== undefined) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delay_ms, () => {
      this.#timer = undefined;
      void this.#flush();
    });
  }

  /** One flush at a time, so that an older write never follows a newer one. Never rejects. */
  #flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write()).catch((error: unknown) => {
      this.#logger.warn({ error: String(error) }, 'pods could not be written to disk: an agent that starts without members will not know them');
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#waiting.size === 0) return;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const [file, text] of [...this.#waiting]) {
      this.#waiting.delete(file);
      const path = join(this.#directory, file);
      if (text === undefined) await rm(path, { force: true });
      else await writeFileAtomic(path, text, 0o600);
    }
  }

  async #read(name: string): Promise<unknown> {
    try {
      return parseJson(await readFile(join(this.#directory, name), 'utf8'));
    } catch (error) {
      this.#logger.warn({ file: name, error: String(error) }, 'a checkpoint cannot be read; it is left out');
      return undefined;
    }
  }
}

function isCheckpoint(value: unknown): value is CheckpointedPod {
  const { pod, serviceEnvironment } = (typeof value === 'object' && value !== null ? value : {}) as Partial<CheckpointedPod>;
  return (pod?.metadata?.uid ?? '') !== '' && Array.isArray(pod?.spec?.containers) && typeof serviceEnvironment === 'object';
}

/** Namespaces hold no dot and no underscore: no two objects share a file. */
function configMapFile(namespace: string, name: string): string {
  return `configmap_${namespace}_${name}.json`;
}
