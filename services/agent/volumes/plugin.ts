/**
 * A type of volume. One file under plugins/ for each, and a row in plugins/index.ts. Which objects a volume refers to
 * is in NODE_OBJECTS (apimachinery/node-objects/table.ts), where the member finds it too.
 */
import type { VolumeType } from '../../../apimachinery/node-objects/table.js';
import type { Random } from '../../../platform/random.js';
import type { Pod, Volume } from '../pod-spec/types.js';
import type { VolumeSources } from './sources.js';
import type { VolumePaths } from './volumes.js';

export type PlacedVolume = VolumePaths extends ReadonlyMap<string, infer Placed> ? Placed : never;

export interface VolumeRequest<T extends VolumeType = VolumeType> {
  readonly pod: Pod;
  readonly source: NonNullable<Volume[T]>;
  /** The volume's own directory. A plugin that wants it makes it; it is unmounted and deleted with the pod. */
  readonly path: string;
  readonly sources: VolumeSources;
  readonly random: Random;
}

export interface VolumePlugin<T extends VolumeType = VolumeType> {
  readonly type: T;
  /**
   * Makes the volume; called again after a failure, and after a start of the agent.
   * Throws ConfigError for what the user must mend.
   */
  prepare(request: VolumeRequest<T>): Promise<PlacedVolume>;
  /** Brings a prepared volume up to date: an object has changed, or a token was renewed. Absent: nothing to do. */
  refresh?(request: VolumeRequest<T>): Promise<void>;
  /** Undoes what was done outside of the volume's directory, before that goes. The pod's object may be gone. */
  release?(path: string): Promise<void>;
}
