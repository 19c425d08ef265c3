/**
 * The images of examples/ and the sandbox image, made on this machine from what it has: the running `node` with its
 * shared libraries, busybox-static for a shell, and examples/images/. No registry is asked.
 *
 * In: a directory to keep the result in. Out: tar files for `ctr -n k8s.io images import`. The name of a tar holds a
 * hash of all that went into it, so that an unchanged one is never built twice. Everything of node lies in one layer
 * that the images share.
 */
import { execFile } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildArchive, type ImageFile, type LayeredImage, type LayerFiles } from '../../platform/images/build-image.js';
import { BUSYBOX_PATH, busyboxFiles, PAUSE_ENTRYPOINT } from '../../platform/images/busybox.js';

/** `.example` never resolves (RFC 2606): nothing of these names can be pulled from anywhere by mistake. */
export const SANDBOX_IMAGE = 'navarch.example/pause:1';
export const EXAMPLE_IMAGES = {
  web1: 'navarch.example/web:1',
  web2: 'navarch.example/web:2',
  backend1: 'navarch.example/backend:1',
} as const;

const NOBODY = '65534:65534';
const run = promisify(execFile);

/** What is missing on this machine for building the images; empty: nothing. */
export function missingForImages(): string[] {
  return existsSync(BUSYBOX_PATH) ? [] : [`${BUSYBOX_PATH} (Debian package busybox-static)`];
}

/**
 * Tars of the example images and the sandbox image, in `directory`; older ones there are removed. Throws an Error that
 * names the file that is missing.
 */
export async function buildExampleImages(directory: string): Promise<string[]> {
  const [missing] = missingForImages();
  if (missing !== undefined) throw new Error(`the example images need ${missing}`);
  await mkdir(directory, { recursive: true });
  const images = await exampleImages();
  const name = `examples-${await contentHash(images)}.tar`;
  const path = join(directory, name);
  if (!existsSync(path)) await buildArchive(images, path);
  for (const old of await readdir(directory)) {
    if (/^examples-[0-9a-f]+\.tar/.test(old) && old !== name) await rm(join(directory, old), { force: true });
  }
  return [path];
}

async function exampleImages(): Promise<LayeredImage[]> {
  const sources = join(packageRoot(), 'examples', 'images');
  const shell = busyboxFiles(BUSYBOX_PATH);
  const node = await nodeFiles();
  const program = (path: string): LayerFiles => ({
    '/app/server.mjs': { kind: 'copy', from: join(sources, path), mode: 0o644 },
  });
  const web = program('web/server.mjs');
  const backend = program('backend/server.mjs');
  const server = {
    command: ['/usr/bin/node', '/app/server.mjs'],
    workingDir: '/app',
    user: NOBODY,
    exposedPorts: ['8080/tcp'],
  };
  return [
    { name: SANDBOX_IMAGE, layers: [shell], entrypoint: PAUSE_ENTRYPOINT },
    { name: EXAMPLE_IMAGES.web1, layers: [shell, node, web], ...server, env: { VERSION: '1' } },
    { name: EXAMPLE_IMAGES.web2, layers: [shell, node, web], ...server, env: { VERSION: '2' } },
    { name: EXAMPLE_IMAGES.backend1, layers: [shell, node, backend], ...server, env: { VERSION: '1' } },
  ];
}

/** The node that runs this, the loader and the libraries it is linked with, each where it lies on this machine. */
async function nodeFiles(): Promise<LayerFiles> {
  const files: Record<string, ImageFile> = {
    '/usr/bin/node': { kind: 'copy', from: await realpath(process.execPath), mode: 0o755 },
    '/etc/nsswitch.conf': { kind: 'file', data: 'hosts: files dns\n' },
  };
  for (const library of await librariesOf(process.execPath))
    files[library] = { kind: 'copy', from: await realpath(library), mode: 0o755 };
  return files;
}

/** Paths as the loader resolves them; none for a program that is linked statically. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' }));
  return stdout.split('\n').flatMap((line) => /(?:=>\s*)?(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1] ?? []);
}

/**
 * Our own sources by content; files of the system by size and time, as they are large and change only when they are
 * installed anew.
 */
async function contentHash(images: readonly LayeredImage[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { layers, ...config } of images) {
    hash.update(JSON.stringify(config));
    for (const files of layers) {
      for (const [path, file] of Object.entries(files)) await addToHash(hash, path, file);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function addToHash(hash: Hash, path: string, file: ImageFile): Promise<void> {
  hash.update(`\0${path}\0${file.kind}\0`);
  switch (file.kind) {
    case 'directory':
      return;
    case 'link':
      hash.update(file.to);
      return;
    case 'file':
      hash.update(file.data);
      return;
    case 'copy':
      if (file.from.startsWith(packageRoot())) hash.update(await readFile(file.from));
      else {
        const { size, mtimeMs } = await stat(file.from);
        hash.update(`${file.from} ${size} ${mtimeMs}`);
      }
      return;
  }
}

/** The folder of package.json: above cli/ in the sources, above dist/ in the package. */
function packageRoot(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, 'package.json')) && at !== dirname(at)) at = dirname(at);
  return at;
}
