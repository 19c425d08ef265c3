/** Key material on disk: directories 0700, keys 0600, each file replaced atomically and synced. */
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { KeyPair } from './x509.js';

/** Writes beside the target, syncs, renames, syncs the directory: a reader sees the old or the new content. */
export async function writeFileAtomic(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = `${path}.tmp-${process.pid}`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, mode);
  await rename(temporary, path);
  const parent = await open(directory, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

/** `<base>.crt` and `<base>.key`. The key goes first: a certificate without its key is never found. */
export async function writeKeyPair(base: string, pair: KeyPair): Promise<void> {
  await writeFileAtomic(`${base}.key`, pair.privateKey, 0o600);
  await writeFileAtomic(`${base}.crt`, pair.certificate, 0o644);
}

/** Undefined when either file is missing. */
export async function readKeyPair(base: string): Promise<KeyPair | undefined> {
  try {
    return {
      certificate: await readFile(`${base}.crt`, 'utf8'),
      privateKey: await readFile(`${base}.key`, 'utf8'),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
