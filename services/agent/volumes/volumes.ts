/**
 * Makes, refreshes and takes down what pods mount. Two implementations: on the host's file system, and none (hollow).
 */
import type { PodKey } from '../pod-spec/spec.js';
import type { MountSpec } from '../runtime/runtime.js';
import type { Container, Pod } from '../pod-spec/types.js';
import type { VolumeSources } from './sources.js';

/** Where the volumes of a pod lie on the host, by volume name. */
export type VolumePaths = ReadonlyMap<
  string,
  {
    readonly hostPath: string;
    readonly readOnly: boolean;
    /** Made of files by the agent (atomic-writer.ts), and not for containers to write. */
    readonly rendered?: boolean;
  }
>;

export interface SubPath {
  /** Of the mount in the container's list. */
  readonly index: number;
  readonly volume: string;
  /** Relative, without `..`; whether it leads out of the volume by a link is for whoever opens it to see. */
  readonly path: string;
}

export interface Volumes {
  /** Makes every volume of the pod; may be repeated. Throws ConfigError or an I/O error. */
  prepare(pod: Pod, sources: VolumeSources): Promise<VolumePaths>;
  /** Brings prepared volumes up to date with what they are made from. Throws as `prepare`. */
  refresh(pod: Pod, sources: VolumeSources): Promise<void>;
  /** Mounts every container gets: /etc/hosts, the termination log. */
  ownMounts(
    pod: Pod,
    container: Container,
    attempt: number,
    podIPs: readonly string[],
    hostname: string,
  ): Promise<readonly MountSpec[]>;
  /**
   * Host paths of parts of volumes, by the mount's index: whatever containers do meanwhile, none lies outside its
   * volume. Throws ConfigError.
   */
  subPaths(
    pod: Pod,
    container: Container,
    volumes: VolumePaths,
    parts: readonly SubPath[],
  ): Promise<ReadonlyMap<number, string>>;
  /** What the container wrote to its termination log; undefined when nothing. */
  terminationMessage(uid: string, container: string, attempt: number): Promise<string | undefined>;
  /** Unmounts and deletes everything of the pod, its logs too. */
  release(key: PodKey): Promise<void>;
  /** Pods that have anything here, from before the agent's restart. */
  leftovers(): Promise<readonly string[]>;
}

export const noVolumes: Volumes = {
  prepare: (pod) =>
    Promise.resolve(
      new Map((pod.spec?.volumes ?? []).map((volume) => [volume.name, { hostPath: '', readOnly: false }])),
    ),
  refresh: () => Promise.resolve(),
  ownMounts: () => Promise.resolve([]),
  subPaths: (_pod, _container, _volumes, parts) => Promise.resolve(new Map(parts.map(({ index }) => [index, '']))),
  terminationMessage: () => Promise.resolve(undefined),
  release: () => Promise.resolve(),
  leftovers: () => Promise.resolve([]),
};
