/** Whose data directory this is. Written once; a member refuses a directory of another cluster or member. */
import type { DiskFolder } from '../../platform/disk/disk.js';
import { RaftError } from '../contract.js';
import type { NodeId } from '../contract.js';

const FILE = 'identity.json';
/** Raised when the layout on disk changes in a way that older code cannot read. */
const SCHEMA_VERSION = 1;

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: NodeId;
}

export async function claimFolder(folder: DiskFolder, identity: Identity): Promise<void> {
  const text = await folder.readText(FILE);
  const { clusterId, nodeId } = identity;
  if (text === undefined) await folder.replaceText(FILE, JSON.stringify({ schema: SCHEMA_VERSION, clusterId, nodeId }));
  else verify(`${folder.path}/${FILE}`, text, identity);
}

function verify(path: string, text: string, identity: Identity): void {
  let found: { schema?: unknown; clusterId?: unknown; nodeId?: unknown };
  try {
    found = JSON.parse(text) as typeof found;
  } catch {
    throw new RaftError(
      'corrupt',
      `${path} cannot be read: restore this member's data directory or rebuild the member from its peers`,
    );
  }
  if (found.schema !== SCHEMA_VERSION) {
    throw new RaftError(
      'corrupt',
      `${path} has schema ${String(found.schema)}, this version knows ${SCHEMA_VERSION}: use a matching version`,
    );
  }
  if (found.clusterId !== identity.clusterId) {
    throw new RaftError(
      'wrong-cluster',
      `${path} belongs to cluster ${String(found.clusterId)}, not ${identity.clusterId}: choose another data directory`,
    );
  }
  if (found.nodeId !== identity.nodeId) {
    throw new RaftError(
      'wrong-cluster',
      `${path} belongs to member ${String(found.nodeId)}, not ${identity.nodeId}: choose another data directory`,
    );
  }
}
