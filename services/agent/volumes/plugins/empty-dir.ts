import { chmod, chown, mkdir } from 'node:fs/promises';
import { approximate } from '../../../../apimachinery/int64.js';
import { quantityOf } from '../../pod-spec/resources.js';
import { mountTmpfs } from '../mount.js';
import type { VolumePlugin } from '../plugin.js';

export const emptyDirPlugin: VolumePlugin<'emptyDir'> = {
  type: 'emptyDir',
  async prepare({ pod, source: { medium, sizeLimit }, path }) {
    const limit = quantityOf(sizeLimit);
    const fsGroup = pod.spec?.securityContext?.fsGroup;
    await mkdir(path, { recursive: true });
    if (medium === 'Memory')
      await mountTmpfs(path, { mode: '0777', ...(limit === undefined ? {} : { size_bytes: Math.floor(limit) }) });
    await chmod(path, fsGroup === undefined ? 0o777 : 0o2777);
    if (fsGroup !== undefined) await chown(path, -1, approximate(fsGroup));
    return { hostPath: path, readOnly: false };
  },
};
