/**
 * What the agent was last told, on disk: an agent that starts while no member can be reached adopts its pods, and
 * starts again what of them has ended. Pods, and objects of kinds that may lie on disk (NODE_OBJECTS): Secrets never
 * do. What is read back is as old as it is; the first member that can be reached says what has changed since.
 */
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeJson, parseJson } from '../../../apimachinery/json-value.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import { writeFileAtomic } from '../../../platform/pki/files.js';
import type { ObjectReference } from '../../../apimachinery/node-objects/references.js';
import { NODE_OBJECTS } from '../../../apimachinery/node-objects/table.js';
import type { NodeObjectTable } from '../../../apimachinery/node-objects/table.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { Pod } from '../pod-spec/types.js';

export interface CheckpointedPod {
  readonly pod: Pod;
  readonly serviceEnvironment: Readonly<Record<string, string>>;
}

export interface CheckpointedObject {
  readonly kind: string;
  readonly object: KubeObject;
}

export interface Checkpointed {
  readonly pods: readonly CheckpointedPod[];
  readonly objects: readonly CheckpointedObject[];
}

export interface Checkpoints {
  savePod(checkpoint: CheckpointedPod): void;
  saveObject(reference: ObjectReference, object: KubeObject): void;
  removePod(uid: string): void;
  removeObject(reference: ObjectReference): void;
  load(): Promise<Checkpointed>;
  /** Writes what is waiting. */
  close(): Promise<void>;
}

export const noCheckpoints: Checkpoints = {
  savePod: () => undefined,
  saveObject: () => undefined,
  removePod: () => undefined,
  removeObject: () => undefined,
  load: () => Promise.resolve({ pods: [], objects: [] }),
  close: () => Promise.resolve(),
};

/** Pods change often while they start: what comes in between is written once. */
const DELAY_MS = 1_000;
/** `pod_<uid>.json`, `<kind>_<namespace>_<name>.json`. */
const SAFE_FILE = /^[a-z0-9]+_[A-Za-z0-9_][A-Za-z0-9._-]*\.json$/;

export class FileCheckpoints implements Checkpoints {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #table: NodeObjectTable;
  /** By file name: what it is to hold; undefined: it is to go. */
  readonly #waiting = new Map<string, string | undefined>();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** `objects` absent: NODE_OBJECTS. */
  constructor(options: {
    readonly directory: string;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly objects?: NodeObjectTable;
  }) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#table = options.objects ?? NODE_OBJECTS;
  }

  savePod(checkpoint: CheckpointedPod): void {
    const { uid = '', deletionTimestamp } = checkpoint.pod.metadata ?? {};
    // That a pod is to end must not be forgotten for the sake of a few writes.
    this.#put(`pod_${uid}.json`, encodeJson(checkpoint), deletionTimestamp === undefined ? DELAY_MS : 0);
  }

  saveObject(reference: ObjectReference, object: KubeObject): void {
    this.#put(fileOf(reference), encodeJson(object), DELAY_MS);
  }

  removePod(uid: string): void {
    this.#put(`pod_${uid}.json`, undefined, 0);
  }

  removeObject(reference: ObjectReference): void {
    this.#put(fileOf(reference), undefined, DELAY_MS);
  }

  async load(): Promise<Checkpointed> {
    const pods: CheckpointedPod[] = [];
    const objects: CheckpointedObject[] = [];
    const kinds = this.#table.kinds.filter(({ onDisk }) => onDisk).map(({ resource }) => resource.kind);
    for (const name of await readdir(this.#directory).catch(() => [])) {
      if (!SAFE_FILE.test(name)) continue;
      const value = await this.#read(name);
      if (value === undefined) continue;
      const kind = kinds.find((candidate) => name.startsWith(filePrefix(candidate)));
      if (kind !== undefined) objects.push({ kind, object: value as KubeObject });
      else if (name.startsWith('pod_') && isCheckpoint(value)) pods.push(value);
    }
    return { pods, objects };
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
    this.#writing = this.#writing
      .then(() => this.#write())
      .catch((error: unknown) => {
        this.#logger.warn(
          { error: String(error) },
          'pods could not be written to disk: an agent that starts without members will not know them',
        );
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
  const { pod, serviceEnvironment } = (
    typeof value === 'object' && value !== null ? value : {}
  ) as Partial<CheckpointedPod>;
  return (
    (pod?.metadata?.uid ?? '') !== '' && Array.isArray(pod?.spec?.containers) && typeof serviceEnvironment === 'object'
  );
}

const filePrefix = (kind: string) => `${kind.toLowerCase()}_`;

/** Namespaces hold no dot and no underscore: no two objects share a file. */
function fileOf({ kind, namespace, name }: ObjectReference): string {
  return `${filePrefix(kind)}${namespace}_${name}.json`;
}
