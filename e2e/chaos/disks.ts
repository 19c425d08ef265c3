/**
 * A small disk for each member: an ext4 file system in a file, mounted over a loop device. It can be filled, and
 * frozen: while it is (FIFREEZE), every write and every sync waits, as on a disk that hangs; processes run on, and
 * reads are answered.
 */
import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, systemExecutor } from '../../platform/exec.js';

/** Of which every member keeps 64 MiB in reserve. */
const DISK_BYTES = 768 * 2 ** 20;

export class LoopDisk {
  readonly mount: string;
  readonly #image: string;

  private constructor(directory: string) {
    this.mount = directory;
    this.#image = `${directory}.img`;
  }

  static async make(directory: string): Promise<LoopDisk> {
    const disk = new LoopDisk(directory);
    mkdirSync(directory, { recursive: true });
    // Sparse: it takes the room that is used.
    writeFileSync(disk.#image, '');
    truncateSync(disk.#image, DISK_BYTES);
    await mustRun(systemExecutor, 'mkfs.ext4', ['-q', '-m', '0', disk.#image]);
    await mustRun(systemExecutor, 'mount', ['-o', 'loop', disk.#image, directory]);
    return disk;
  }

  /** Whether this machine lets us: a container may have no loop devices. */
  static async works(directory: string): Promise<boolean> {
    try {
      const disk = await LoopDisk.make(join(directory, 'probe'));
      try {
        await disk.freeze();
        await disk.thaw();
      } finally {
        await disk.remove();
      }
      return true;
    } catch {
      return false;
    }
  }

  /** Leaves so many bytes. */
  async fill(left_bytes: number): Promise<void> {
    const { bavail, bsize } = statfsSync(this.mount);
    const size = bavail * bsize - left_bytes;
    if (size > 0) await mustRun(systemExecutor, 'fallocate', ['-l', String(size), this.#filler]);
  }

  get #filler(): string {
    return join(this.mount, 'filler');
  }

  empty(): void {
    rmSync(this.#filler, { force: true });
  }

  async freeze(): Promise<void> {
    await mustRun(systemExecutor, 'fsfreeze', ['--freeze', this.mount]);
  }

  /** One that is not frozen is fine. */
  async thaw(): Promise<void> {
    await systemExecutor.run('fsfreeze', ['--unfreeze', this.mount]);
  }

  async remove(): Promise<void> {
    await this.thaw();
    await systemExecutor.run('umount', ['--lazy', this.mount]);
    rmSync(this.#image, { force: true });
  }
}
