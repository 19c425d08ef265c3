/**
 * Which objects are a controller's: adopts orphans that its selector matches, releases what it no longer does
 * (k8s.io/kubernetes/pkg/controller ControllerRefManager). The cache may be behind in everything: before the first
 * adoption the API itself is asked whether the owner still exists, with its uid and without a deletionTimestamp.
 */
import type { KubeObject, OwnerReference, Resource } from '../../../apimachinery/object.js';
import type { Client } from '../../../sdk/client.js';
import { refOf } from '../../../sdk/key.js';
import { ignoring } from './errors.js';
import { controllerRef } from './owners.js';

export interface ClaimParts<T extends KubeObject> {
  readonly client: Client;
  readonly owner: KubeObject;
  readonly ownerResource: Resource;
  readonly resource: Resource<T>;
  /** What the cache shows as the owner's. */
  readonly own: readonly T[];
  /** What the cache shows without a controller. */
  readonly orphans: readonly T[];
  readonly matches: (object: T) => boolean;
  readonly signal: AbortSignal;
}

/**
 * Returns what is the owner's after that. A write that meets a newer version fails: one failure keeps no other object
 * from being claimed, the first one is thrown at the end, and the next look works with a newer cache.
 */
export async function claim<T extends KubeObject>(parts: ClaimParts<T>): Promise<T[]> {
  const { owner, own, orphans, matches } = parts;
  const claimed = own.filter(matches);
  if (owner.metadata?.deletionTimestamp !== undefined) return claimed;
  const failures: unknown[] = [];
  const attempt = async (write: Promise<T | undefined>): Promise<T | undefined> =>
    write.catch((error: unknown) => void failures.push(error));
  for (const object of own) if (!matches(object)) await attempt(release(parts, object));
  const wanted = orphans.filter((object) => isAdoptable(object, owner) && matches(object));
  if (wanted.length > 0 && (await mayAdopt(parts))) {
    for (const object of wanted) {
      const adopted = await attempt(adopt(parts, object));
      if (adopted !== undefined) claimed.push(adopted);
    }
  }
  if (failures.length > 0) throw failures[0];
  return claimed;
}

const isAdoptable = ({ metadata }: KubeObject, owner: KubeObject): boolean =>
  metadata?.namespace === owner.metadata?.namespace && metadata?.deletionTimestamp === undefined;

async function mayAdopt<T extends KubeObject>({
  client,
  owner,
  ownerResource,
  signal,
}: ClaimParts<T>): Promise<boolean> {
  const fresh = await client.get(ownerResource, refOf(owner), { signal }).catch(ignoring('NotFound'));
  return fresh?.metadata?.uid === owner.metadata?.uid && fresh?.metadata?.deletionTimestamp === undefined;
}

function adopt<T extends KubeObject>(parts: ClaimParts<T>, object: T): Promise<T | undefined> {
  return writeOwners(parts, object, [
    ...(object.metadata?.ownerReferences ?? []),
    controllerRef(parts.owner, parts.ownerResource),
  ]);
}

function release<T extends KubeObject>(parts: ClaimParts<T>, object: T): Promise<T | undefined> {
  return writeOwners(
    parts,
    object,
    (object.metadata?.ownerReferences ?? []).filter(({ uid }) => uid !== parts.owner.metadata?.uid),
  );
}

/** undefined: the object is gone. */
async function writeOwners<T extends KubeObject>(
  parts: ClaimParts<T>,
  object: T,
  ownerReferences: readonly OwnerReference[],
): Promise<T | undefined> {
  const { uid, resourceVersion } = object.metadata ?? {};
  const patch = { type: 'merge', body: { metadata: { uid, resourceVersion, ownerReferences } } } as const;
  return parts.client.patch(parts.resource, refOf(object), patch, { signal: parts.signal }).catch(ignoring('NotFound'));
}
