/** Every kubectl beside the one on the path (`kubectl.1.27` ... as well as a plain one), oldest first. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

export interface KubectlVersion {
  readonly minor: number;
  readonly path: string;
}

/** A plain kubectl without versions beside it counts as the newest. */
const NEWEST_MINOR = 99;

export function kubectlVersions(): KubectlVersion[] {
  const plain = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'kubectl'))
    .find((path) => existsSync(path));
  if (plain === undefined) return [];
  const directory = dirname(realpathSync(plain));
  const found = readdirSync(directory).flatMap((name) => {
    const minor = /^kubectl\.1\.(\d+)$/.exec(name)?.[1];
    return minor === undefined ? [] : [{ minor: Number(minor), path: join(directory, name) }];
  });
  return found.length === 0 ? [{ minor: NEWEST_MINOR, path: plain }] : found.toSorted((a, b) => a.minor - b.minor);
}
