/** Room kept on a file system for when it is full: a file of zeros that can be given up. */
import { dirname } from 'node:path';
import { open, rm, stat, statfs } from 'node:fs/promises';

export interface DiskReserve {
  /** What others may still write, without the reserve. */
  free_bytes(): Promise<number>;
  readonly size_bytes: number;
  /** Takes the room, unless it is held already. Rejects when there is not enough. */
  hold(): Promise<void>;
  /** Gives it up. */
  release(): Promise<void>;
}

const CHUNK = Buffer.alloc(1 << 20);

/** `path` is the file; its file system is the one that is watched. */
export function reserveFile(path: string, size_bytes: number): DiskReserve {
  const held = async () => (await stat(path).catch(() => undefined))?.size === size_bytes;
  return {
    size_bytes,
    async free_bytes() {
      const { bavail, bsize } = await statfs(dirname(path));
      return bavail * bsize;
    },
    async hold() {
      if (await held()) return;
      const file = await open(path, 'w', 0o600);
      try {
        // Written, not just made long: a hole holds no room.
        for (let left = size_bytes; left > 0; left -= CHUNK.length)
          await file.write(CHUNK.subarray(0, Math.min(left, CHUNK.length)));
        await file.sync();
      } catch (error) {
        await rm(path, { force: true });
        throw error;
      } finally {
        await file.close();
      }
    },
    release: () => rm(path, { force: true }),
  };
}
