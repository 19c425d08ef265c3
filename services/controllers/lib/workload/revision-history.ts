/**
 * Keeps the ControllerRevisions of one kind of owner: claims them as pods are claimed, makes the revision of the
 * present template the newest one, and deletes those beyond the limit. What to do is decided in `revisions.ts`.
 */
import { controllerRevisions } from '../../../../apimachinery/gen/resources.js';
import type { ControllerRevision } from '../../../../apimachinery/gen/types.js';
import type { Int64 } from '../../../../apimachinery/int64.js';
import type { KubeObject, Resource } from '../../../../apimachinery/object.js';
import type { LabelSelector } from '../../../../apimachinery/selector/labels.js';
import { isApiError } from '../../../../apimachinery/status.js';
import { refOf } from '../../../../sdk/key.js';
import type { ControllerContext } from '../../context.js';
import { claim } from '../claim.js';
import { equalJson } from '../equal.js';
import { controllerOf, controllerRef, ownedObjects, type OwnedObjects } from '../owners.js';
import {
  changeFor,
  revisionDraft,
  surplusOf,
  type HistoryLimit,
  type RevisionData,
  type RevisionSource,
} from './revisions.js';
import { deleteSame } from '../writes.js';

interface HistoryScope {
  readonly owner: KubeObject;
  readonly selector: LabelSelector;
  readonly signal: AbortSignal;
}

interface WantedRevision extends HistoryScope {
  /** Those of the template: the selector must match them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly data: RevisionData;
  /** From the owner's status. */
  readonly collisionCount: number | undefined;
}

export interface History {
  /** The revision of the data. */
  readonly current: ControllerRevision;
  /** All of the owner's, `current` among them. */
  readonly all: readonly ControllerRevision[];
  /** For the owner's status. */
  readonly collisionCount: number | undefined;
}

export class RevisionHistory {
  readonly #context: ControllerContext;
  readonly #resource: Resource;
  readonly #owned: OwnedObjects<ControllerRevision>;

  /** `resource`: that of the owners. */
  constructor(context: ControllerContext, resource: Resource) {
    this.#context = context;
    this.#resource = resource;
    this.#owned = ownedObjects(context.informers.informer(controllerRevisions));
  }

  /** Makes the revision of the data the newest. For an owner that is terminating nothing is written. */
  async sync(wanted: WantedRevision): Promise<History> {
    const { owner, data, labels, collisionCount } = wanted;
    const all = await this.#claim(wanted);
    const source = { owner, data, labels, reference: controllerRef(owner, this.#resource) };
    const change = changeFor(data, all);
    if (change.kind === 'keep') return { current: change.revision, all, collisionCount };
    if (owner.metadata?.deletionTimestamp !== undefined) {
      const current =
        change.kind === 'renew' ? change.revision : revisionDraft(source, change.number, collisionCount ?? 0);
      return { current, all, collisionCount };
    }
    if (change.kind === 'renew') {
      const { signal } = wanted;
      const current = await this.#context.client.update(
        controllerRevisions,
        { ...change.revision, revision: change.to },
        { signal },
      );
      return { current, all: all.map((one) => (one === change.revision ? current : one)), collisionCount };
    }
    return this.#create(wanted, { all, source, number: change.number });
  }

  /** Deletes the oldest revisions beyond the limit. */
  async trim(all: readonly ControllerRevision[], limit: HistoryLimit, signal: AbortSignal): Promise<void> {
    for (const object of surplusOf(all, limit))
      await deleteSame(this.#context.client, controllerRevisions, { object, signal });
  }

  #claim({ owner, selector, signal }: HistoryScope): Promise<ControllerRevision[]> {
    return claim({
      client: this.#context.client,
      owner,
      ownerResource: this.#resource,
      resource: controllerRevisions,
      signal,
      own: this.#owned.of(owner),
      orphans: this.#owned.orphansFor(owner),
      matches: ({ metadata }) => selector.matches(metadata?.labels),
    });
  }

  /**
   * A name that is taken by other data, or by another owner's, is a collision of hashes: the next count gives another
   * name.
   */
  async #create({ owner, signal, collisionCount }: WantedRevision, what: Creation): Promise<History> {
    const { client } = this.#context;
    for (let count = collisionCount ?? 0; ; count++) {
      const draft = revisionDraft(what.source, what.number, count);
      const known = count === (collisionCount ?? 0) ? collisionCount : count;
      try {
        const current = await client.create(controllerRevisions, draft, { signal });
        return { current, all: [...what.all, current], collisionCount: known };
      } catch (error) {
        if (!isApiError(error, 'AlreadyExists')) throw error;
      }
      const other = await client.get(controllerRevisions, refOf(draft), { signal });
      // Its own: the cache was behind.
      const isOwn = controllerOf(other)?.uid === owner.metadata?.uid && equalJson(other.data, draft.data);
      if (isOwn) return { current: other, all: [...what.all, other], collisionCount: known };
    }
  }
}

interface Creation {
  readonly all: readonly ControllerRevision[];
  readonly source: RevisionSource;
  readonly number: Int64;
}
