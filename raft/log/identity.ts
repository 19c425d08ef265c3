/** Whose data directory this is. Written once; a member refuses a directory of another cluster or member. */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { RaftError } from '../contract.js';
import type { NodeId } from '../contract.js';

const FILE = 'identity.json';
/** Raised when the layout on disk changes in a way that older code cannot read. */
export const SCHEMA_VERSION = 1;

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: NodeId;
}

export function claimDirectory(directory: string, identity: Identity): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const path = join(directory, FILE);
  if (existsSync(path)) verify(path, identity);
  else writeDurably(directory, path, JSON.stringify({ schema: SCHEMA_VERSION, ...identity }));
}

function verify(path: string, identity: Identity): void {
  let found: { schema?: unknown; clusterId?: unknown; nodeId?: unknown };
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as typeof found;
  } catch {
    throw new RaftError('corrupt', `${path} cannot be read: restore this member's data directory or rebuild the member from its peers`);
  }
  if (found.schema !== SCHEMA_VERSION) {
    throw new RaftError('corrupt', `${path} has schema ${String(found.schema)}, this version knows ${SCHEMA_VERSION}: use a matching version`);
  }
  if (found.clusterId !== identity.clusterId) {
    throw new RaftError('wrong-cluster', `${path} belongs to cluster ${String(found.clusterId)}, not ${identity.clusterId}: choose another data directory`);
  }
  if (found.nodeId !== identity.nodeId) {
    throw new RaftError('wrong-cluster', `${path} belongs to member ${String(found.nodeId)}, not ${identity.nodeId}: choose another data directory`);
  }
}

function writeDurably(directory: string, path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
  const parent = openSync(directory, 'r');
  fsyncSync(parent);
  closeSync(parent);
}
