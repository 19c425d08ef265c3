/** TEST SUPPORT: images: present, absent, removed. */
import { describe, expect, it } from 'vitest';
import { ImagePullError } from '../runtime.js';
import { rejection } from './target.js';
import type { RuntimeTarget } from './target.js';

export function imagesConformance(target: () => RuntimeTarget): void {
  describe('images', () => {
    it('one that is present has an id, its name and a size, and is listed', async () => {
      const { runtime, image } = target();
      const record = await runtime.imageStatus(image);
      expect(record?.id).toMatch(/^sha256:/);
      expect(record?.names).toContain(image);
      expect(record?.size_bytes).toBeGreaterThan(0);
      expect((await runtime.listImages()).find(({ id }) => id === record?.id)).toMatchObject({
        names: record?.names,
        size_bytes: record?.size_bytes,
      });
    });

    it('one that is absent has no status, and is not listed', async () => {
      const { runtime, missingImage } = target();
      expect(await runtime.imageStatus(missingImage)).toBeUndefined();
      expect((await runtime.listImages()).flatMap(({ names }) => names)).not.toContain(missingImage);
    });

    it('a pull that fails is an ImagePullError that names the image', async () => {
      const { runtime, missingImage } = target();
      const error = await rejection(runtime.pullImage(missingImage));
      expect(error).toBeInstanceOf(ImagePullError);
      expect(error.message).toContain(missingImage.split(':')[0]);
      expect(await runtime.imageStatus(missingImage)).toBeUndefined();
    });

    it('one that is removed is absent; removing it again succeeds', async () => {
      const { runtime, image, spareImage } = target();
      const id = (await runtime.imageStatus(spareImage))?.id ?? '';
      expect(id).not.toBe('');
      await runtime.removeImage(id);
      await runtime.removeImage(id);
      expect(await runtime.imageStatus(spareImage)).toBeUndefined();
      expect(await runtime.imageStatus(image)).toBeDefined();
    });
  });
}
