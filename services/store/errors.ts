/** The store's refusals. Their texts are the ones that etcd's clients compare with, so they are written once, here. */
import { StoreError } from './store.js';
import type { Revision } from './store.js';

export const revisionOf = (value: number): Revision => value as Revision;

export const compactedError = (compactRevision: number) =>
  new StoreError('compacted', 'etcdserver: mvcc: required revision has been compacted', revisionOf(compactRevision));
export const futureRevisionError = () =>
  new StoreError('future-revision', 'etcdserver: mvcc: required revision is a future revision');
export const leaseNotFoundError = () => new StoreError('lease-not-found', 'etcdserver: requested lease not found');
export const leaseExistsError = () => new StoreError('lease-exists', 'etcdserver: lease already exists');
export const leaseTtlError = () => new StoreError('invalid', 'etcdserver: too large lease TTL');
export const emptyKeyError = () => new StoreError('invalid', 'etcdserver: key is not provided');
export const keyNotFoundError = () => new StoreError('invalid', 'etcdserver: key not found');
export const valueProvidedError = () => new StoreError('invalid', 'etcdserver: value is provided');
export const leaseProvidedError = () => new StoreError('invalid', 'etcdserver: lease is provided');
export const duplicateKeyError = () => new StoreError('invalid', 'etcdserver: duplicate key given in txn request');
export const tooManyOpsError = () => new StoreError('invalid', 'etcdserver: too many operations in txn request');
export const tooLargeError = () => new StoreError('too-large', 'etcdserver: request is too large');
export const noSpaceError = () => new StoreError('no-space', 'etcdserver: mvcc: database space exceeded');
/** What a member answers that was found to differ from the others. */
export const fencedError = () => new StoreError('corrupt', 'etcdserver: corrupt cluster');
export const closedError = () => new StoreError('closed', 'the store is closed');
export const overflowError = () =>
  new StoreError('overflow', 'the watcher fell too far behind; resume from the last revision it received');
