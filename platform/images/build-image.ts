/**
 * Container images without a registry: a rootfs, as files in memory or on disk, becomes a tar that `ctr images import`
 * and `docker load` take (the Docker image format, with the OCI configuration inside). Same input, same bytes. One tar
 * may hold several images, and a layer that they share is in it once.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';

export type ImageFile =
  | { readonly kind: 'file'; readonly data: Uint8Array | string; readonly mode?: number }
  /** Copied from the host; the mode is the host file's unless named. */
  | { readonly kind: 'copy'; readonly from: string; readonly mode?: number }
  | { readonly kind: 'directory'; readonly mode?: number }
  | { readonly kind: 'link'; readonly to: string };

/** Path in the image -> what lies there. Missing parent directories are made. */
export type LayerFiles = Readonly<Record<string, ImageFile>>;

interface ImageConfig {
  /** As `example.test/web:1`. */
  readonly name: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** As `1000` or `1000:1000`. */
  readonly user?: string;
  readonly exposedPorts?: readonly string[];
}

export interface ImageSpec extends ImageConfig {
  readonly files: LayerFiles;
  /** Where the tar is written. */
  readonly output: string;
}

export interface LayeredImage extends ImageConfig {
  /** From the bottom up. The same object in several images becomes one layer of the archive. */
  readonly layers: readonly LayerFiles[];
}

/** The image's time of creation: fixed, so that equal input gives equal bytes. */
const CREATED = '2026-01-01T00:00:00Z';
const MTIME = new Date(CREATED);
type Header = Parameters<Pack['entry']>[0];
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Writes the image; returns the path of the tar. */
export function buildImage(spec: ImageSpec): Promise<string> {
  return buildArchive([{ ...spec, layers: [spec.files] }], spec.output);
}

/** Writes several images into one tar; returns its path. What was at `output` is replaced when the new one is whole. */
export async function buildArchive(images: readonly LayeredImage[], output: string): Promise<string> {
  await mkdir(dirname(output), { recursive: true });
  const diffIds = new Map<LayerFiles, string>();
  const layerPaths = new Map<string, string>();
  const temporary = [`${output}.part`];
  try {
    for (const files of new Set(images.flatMap((image) => image.layers))) {
      const path = `${output}.layer${diffIds.size}`;
      temporary.push(path);
      const diffId = await writeTar(path, (tar) => addFiles(tar, files));
      diffIds.set(files, diffId);
      layerPaths.set(diffId, path);
    }
    await writeTar(`${output}.part`, async (tar) => {
      const entries = images.map((image) => {
        const ids = image.layers.map((files) => diffIds.get(files) ?? '');
        const config = Buffer.from(JSON.stringify(configOf(image, ids)));
        return {
          name: image.name,
          ids,
          config,
          configName: `${createHash('sha256').update(config).digest('hex')}.json`,
        };
      });
      for (const { config, configName } of entries) await entry(tar, { name: configName, size: config.length }, config);
      for (const [diffId, path] of layerPaths)
        await entryFromFile(tar, { name: `${diffId}/layer.tar`, size: (await lstat(path)).size }, path);
      const manifest = Buffer.from(
        JSON.stringify(
          entries.map(({ name, ids, configName }) => ({
            Config: configName,
            RepoTags: [name],
            Layers: ids.map((id) => `${id}/layer.tar`),
          })),
        ),
      );
      await entry(tar, { name: 'manifest.json', size: manifest.length }, manifest);
    });
    await rename(`${output}.part`, output);
  } finally {
    for (const path of temporary) await rm(path, { force: true });
  }
  return output;
}

function configOf(spec: ImageConfig, diffIds: readonly string[]): unknown {
  return {
    created: CREATED,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        ...Object.entries(spec.env ?? {}).map(([name, value]) => `${name}=${value}`),
      ],
      ...(spec.entrypoint === undefined ? {} : { Entrypoint: spec.entrypoint }),
      ...(spec.command === undefined ? {} : { Cmd: spec.command }),
      ...(spec.user === undefined ? {} : { User: spec.user }),
      WorkingDir: spec.workingDir ?? '/',
      ...(spec.exposedPorts === undefined
        ? {}
        : { ExposedPorts: Object.fromEntries(spec.exposedPorts.map((port) => [port, {}])) }),
    },
    rootfs: { type: 'layers', diff_ids: diffIds.map((id) => `sha256:${id}`) },
    history: diffIds.map(() => ({ created: CREATED, created_by: 'navarch' })),
  };
}

/** Writes a tar to `path` as it is made; returns its SHA-256. */
async function writeTar(path: string, fill: (tar: Pack) => Promise<void>): Promise<string> {
  const tar = pack();
  const file = await open(path, 'w');
  const hash = createHash('sha256');
  const drain = async () => {
    for await (const chunk of tar) {
      const bytes = chunk as Buffer;
      hash.update(bytes);
      await file.write(bytes);
    }
  };
  try {
    const drained = drain();
    await Promise.all([
      drained,
      fill(tar).then(
        () => tar.finalize(),
        (error: unknown) => {
          tar.destroy(error as Error);
          throw error;
        },
      ),
    ]);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

async function addFiles(tar: Pack, files: LayerFiles): Promise<void> {
  const all = new Map(
    Object.entries(files).map(([path, file]): [string, ImageFile] => [path.replace(/^\/+/, ''), file]),
  );
  for (const path of [...all.keys()]) {
    const parts = path.split('/');
    for (let i = 1; i < parts.length; i++) {
      const parent = parts.slice(0, i).join('/');
      if (!all.has(parent)) all.set(parent, { kind: 'directory' });
    }
  }
  for (const [path, file] of [...all].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (path === '') continue;
    switch (file.kind) {
      case 'directory':
        await entry(tar, { name: `${path}/`, type: 'directory', mode: file.mode ?? 0o755 });
        break;
      case 'link':
        await entry(tar, { name: path, type: 'symlink', linkname: file.to, mode: 0o777 });
        break;
      case 'file':
        await entry(tar, { name: path, mode: file.mode ?? 0o644 }, Buffer.from(file.data));
        break;
      case 'copy':
        await entry(
          tar,
          { name: path, mode: file.mode ?? (await lstat(file.from)).mode & 0o7777 },
          await readFile(file.from),
        );
        break;
    }
  }
}

function entry(tar: Pack, header: Header, data?: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error == null ? resolve() : reject(error));
    const full = { ...header, mtime: MTIME, uid: 0, gid: 0 };
    if (data === undefined) tar.entry(full, done);
    else tar.entry(full, Buffer.from(data), done);
  });
}

function entryFromFile(tar: Pack, header: Header, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sink = tar.entry({ ...header, mtime: MTIME, uid: 0, gid: 0 }, (error) =>
      error == null ? resolve() : reject(error),
    );
    createReadStream(path).on('error', reject).pipe(sink);
  });
}
