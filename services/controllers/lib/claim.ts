/**
 * Which objects are a controller's: adopts orphans that its selector matches, releases what it no longer does
 * (k8s.io/kubernetes/pkg/controller ControllerRefManager). The cache may be behind in everything: nothing is adopted before the API itself
 * said that the owner is still there, with its uid and not asked to go.
 */
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import type { Client } from '../../../sdk/client.js';
import { controllerRef } from './owners.js';

export interface ClaimParts<T extends KubeObject> {
  readonly client: Client;
  readonly owner: KubeObject;
  readonly ownerResource: Resource;
  readonly resource: Resource<T>;
  /** What the cache shows as the owner's. */
  readonly own: readonly T[];
  /** What the cache shows without a controller, anywhere. */
  readonly orphans: readonly T[];
  readonly matches: (object: T) => boolean;
  readonly signal: AbortSignal;
}

const refOf = ({ metadata }: KubeObject) => ({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });

/** What is the owner's after that. A write that meets a newer version throws: the next look is better informed. */
export async function claim<T extends KubeObject>(parts: ClaimParts<T>): Promise<T[]> {
  const { owner, own, orphans, matches } = parts;
  const claimed = own.filter(matches);
  if (owner.metadata?.deletionTimestamp !== undefined) return claimed;
  for (const object of own) if (!matches(object)) await release(parts, object);
  const wanted = orphans.filter((object) => object.metadata?.namespace === owner.metadata?.namespace &&
    object.metadata?.deletionTimestamp === undefined && matches(object));
  if (wanted.length === 0 || !await mayAdopt(parts)) return claimed;
  for (const object of wanted) {
    const adopted = await writeOwners(parts, object, [...(object.metadata?.ownerReferences ?? []), controllerRef(owner, parts.ownerResource)]);
    if (adopted !== undefined) claimed.push(adopted);
  }
  return claimed;
}

async function mayAdopt<T extends KubeObject>({ client, owner, ownerResource, signal }: ClaimParts<T>): Promise<boolean> {
  const fresh = await client.get(ownerResource, refOf(owner), { signal }).catch(unlessGone);
  return fresh?.metadata?.uid === owner.metadata?.uid && fresh?.metadata?.deletionTimestamp === undefined;
}

async function release<T extends KubeObject>(parts: ClaimParts<T>, object: T): Promise<void> {
  await writeOwners(parts, object, (object.metadata?.ownerReferences ?? []).filter(({ uid }) => uid !== parts.owner.metadata?.uid));
}

async function writeOwners<T extends KubeObject>({ client, resource, signal }: ClaimParts<T>, object: T, ownerReferences: readonly object[]): Promise<T | undefined> {
  const { uid, resourceVersion } = object.metadata ?? {};
  return client.patch(resource, refOf(object), { type: 'merge', body: { metadata: { uid, resourceVersion, ownerReferences } } }, { signal }).catch(unlessGone);
}

function unlessGone(error: unknown): undefined {
  if (!isApiError(error, 'NotFound')) throw error;
  return undefined;
}
