import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import type { ContainerRecord, ImageRecord } from '../runtime/runtime.js';
import { ImageGarbage } from './image-garbage.js';

const image = (name: string, more: Partial<ImageRecord> = {}): ImageRecord => ({
  id: `sha256:${name}`,
  names: [name],
  size_bytes: 10,
  ...more,
});
const IMAGES = [image('a'), image('b'), image('c'), image('pause', { pinned: true })];
const using = (...images: string[]) => ({
  sandboxes: [],
  containers: images.map((name) => ({ image: name, imageId: `sha256:${name}` }) as ContainerRecord),
});

class Disk {
  readonly clock = new VirtualClock();
  readonly garbage: ImageGarbage;

  constructor(high_percent = 85) {
    this.garbage = new ImageGarbage({ high_percent, low_percent: 80, clock: this.clock });
  }

  async choose(used_percent: number, ...used: string[]): Promise<string[]> {
    const chosen = this.garbage.choose({
      images: IMAGES,
      snapshot: using(...used),
      disk_bytes: 100,
      diskAvailable_bytes: 100 - used_percent,
    });
    await this.clock.advance(60_000);
    return chosen.flatMap(({ names }) => names);
  }
}

describe('images that nobody uses', () => {
  it('go when the disk is fuller than the high share, down to the low one, the longest unused first', async () => {
    const disk = new Disk();
    await disk.choose(50, 'a', 'b');
    await disk.choose(50, 'a');
    await disk.choose(50);
    expect(await disk.choose(84)).toEqual([]);
    expect(await disk.choose(85)).toEqual(['c']);
    expect(await disk.choose(91)).toEqual(['c', 'b']);
    expect(await disk.choose(99)).toEqual(['c', 'b']);
    expect(await disk.choose(100)).toEqual(['c', 'b']);
  });

  it("stay while a container is made of them, also one that has ended; the sandboxes' own stays always", async () => {
    const disk = new Disk();
    for (let i = 0; i < 3; i++) await disk.choose(50);
    expect(await disk.choose(100, 'a', 'b', 'c')).toEqual([]);
    expect(await disk.choose(100, 'a', 'c')).toEqual(['b']);
  });

  it('stay for two minutes after they were first seen: their pod may be about to start', async () => {
    const disk = new Disk();
    expect(await disk.choose(100)).toEqual([]);
    expect(await disk.choose(100)).toEqual([]);
    expect(await disk.choose(100)).toHaveLength(2);
  });

  it('stay for good at 100 percent', async () => {
    const disk = new Disk(100);
    for (let i = 0; i < 4; i++) expect(await disk.choose(100)).toEqual([]);
  });

  it.each([
    [80, 85],
    [101, 80],
    [85, 0],
    [85, 85],
  ])('from %i to %i percent: refused', (high_percent, low_percent) => {
    expect(() => new ImageGarbage({ high_percent, low_percent, clock: new VirtualClock() })).toThrow(RangeError);
  });
});
