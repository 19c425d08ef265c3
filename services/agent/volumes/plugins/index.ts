/** Every type of volume that this worker serves. */
import type { VolumePlugin } from '../plugin.js';
import { configMapPlugin } from './config-map.js';
import { downwardApiPlugin } from './downward-api.js';
import { emptyDirPlugin } from './empty-dir.js';
import { hostPathPlugin } from './host-path.js';
import { projectedPlugin } from './projected.js';
import { secretPlugin } from './secret.js';

export const VOLUME_PLUGINS: readonly VolumePlugin[] = [
  configMapPlugin,
  downwardApiPlugin,
  emptyDirPlugin,
  hostPathPlugin,
  projectedPlugin,
  secretPlugin,
];
