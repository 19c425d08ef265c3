/**
 * Historical bugs, each as a change of the code that brings it back. A change is made while the simulator loads the module
 * (hook.ts), in a process of its own: nothing of it is in the product, and no switch in the product leads to it.
 *
 * `find` matches once, in the source and in the compiled file alike; a test sees to that.
 */
export interface Mutant {
  readonly name: string;
  /** Whose bug it was. */
  readonly trap: string;
  /** Without its ending. */
  readonly file: string;
  readonly find: RegExp;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'applied-index-apart', trap: 'etcd 3.5.0 to 3.5.2: the applied index is not written with what it covers', file: 'services/store/disk/state-disk',
    find: /return this\.disk\.write\(operationsOf\(checkpoint\)\);/,
    replace: 'const all = [...operationsOf(checkpoint)]; return this.disk.write(all.slice(-1)).then(() => this.disk.write(all.slice(0, -1)));',
  },
  {
    name: 'applied-again', trap: 'etcd #14685: entries are applied again after a restart', file: 'services/store/disk/state-machine',
    find: /const applied = \{\s*index: meta\?\.index \?\? /, replace: 'const applied = { index: (meta?.index ?? 0) > 2 ? meta.index - 1 : meta?.index ?? ',
  },
  {
    name: 'acknowledged-before-sync', trap: 'etcd #14370: acknowledged before the log is synced', file: 'raft/log/durable-log',
    find: /await this\.#disk\.write\(operations\);/, replace: 'void this.#disk.write(operations).catch(() => undefined);',
  },
  {
    name: 'read-before-own-term', trap: 'etcd #7331: ReadIndex is answered before an entry of the term is committed', file: 'raft/core/read-index',
    find: /if \(!hasCommittedInTerm\(raft\)\)/, replace: 'if (false)',
  },
  {
    name: 'read-id-reused', trap: 'etcd #20418: a repeated ReadIndex is confirmed by an old answer', file: 'raft/driver/reads',
    find: /context: this\.#nextContext\+\+/, replace: 'context: this.#nextContext',
  },
  {
    name: 'read-without-quorum', trap: 'Jepsen, many stores: reads are served by whoever believes to be up to date', file: 'services/store/member/core',
    find: /if \(request\.serializable !== true\)\s+await this\.#waitReadIndex\(\);/, replace: 'if (request.serializable !== true) await undefined;',
  },
  {
    name: 'old-leader-ends-leases', trap: 'etcd #15247: a leader that was paused ends leases in the term of another', file: 'services/store/mvcc/kv-state',
    find: /proposedIn === term && this\.leases/, replace: 'this.leases',
  },
  {
    name: 'renewal-undone', trap: 'an end that was decided before a renewal is applied after it (found by this simulator)', file: 'services/store/mvcc/kv-state',
    find: / && this\.leases\.get\(id\)\?\.renewals === renewals/, replace: '',
  },
  {
    name: 'renewal-of-the-doomed', trap: 'a lease is renewed in memory while its end is on its way through the log', file: 'services/store/backend/lease-expiry',
    find: / \|\| this\.#doomed\.has\(lease\.id\)/, replace: '',
  },
  {
    name: 'renewal-without-quorum', trap: 'a leader that was cut off or paused renews leases in its memory, which the next one ends', file: 'services/store/member/renewals',
    find: /await this\.#options\.confirm\(\);/, replace: '',
  },
  {
    name: 'revision-goes-back', trap: 'etcd #17780: the revision goes back after a crash during compaction', file: 'services/store/disk/state-disk',
    find: /restoreRevisions\(meta\.revision, meta\.compactRevision\)/, replace: 'restoreRevisions(meta.compactRevision > 0 ? meta.revision - 1 : meta.revision, meta.compactRevision)',
  },
  {
    name: 'slow-watchers-starve', trap: 'etcd #17529: a slow watcher is taken along past what it was not sent', file: 'services/store/watch/hub',
    find: /if \(watcher\.next === from \+ 1\)/, replace: 'if (watcher.next <= from + 1)',
  },
  {
    name: 'tombstone-at-compaction', trap: 'etcd #19179: a deletion at the compacted revision itself is removed', file: 'services/store/mvcc/mvcc',
    find: /rows\.isTombstone\(newest\) && rows\.main\(newest\) < this\.#compactRevision/, replace: 'rows.isTombstone(newest) && rows.main(newest) <= this.#compactRevision',
  },
  {
    name: 'watch-repeats-after-snapshot', trap: 'etcd #15271: after a partition a replica tells its watches what they know', file: 'services/store/watch/hub',
    find: /for \(const watcher of this\.#all\)\s+this\.serve\(watcher\);/, replace: 'for (const watcher of this.#all) { watcher.next = Math.max(1, watcher.next - 3); this.serve(watcher); }',
  },
  {
    name: 'future-watch-early', trap: 'etcd #20221: a watch from a future revision is told of earlier ones', file: 'services/store/watch/hub',
    find: /start > 0 \? start : this\.#published \+ 1/, replace: 'start > 0 && start <= this.#published ? start : this.#published + 1',
  },
  {
    name: 'progress-overtakes', trap: 'etcd #15220: a progress notification overtakes events', file: 'services/store/watch/hub',
    find: /if \(!asked && watcher\.next > this\.#published \+ 1\)\s+return;/, replace: '',
  },
  {
    name: 'txn-reads-compacted', trap: 'etcd #18667: a transaction that reads a compacted revision differs between members', file: 'services/store/mvcc/txn',
    find: /if \(op\.kind === 'range'\)\s+checkReadable\(mvcc, op\.request\.revision, now\);/, replace: '',
  },
  {
    name: 'snapshots-collide', trap: 'etcd #18055: two snapshots in quick succession', file: 'raft/driver/snapshots',
    find: /if \(this\.#isReceiving \|\| this\.#received !== undefined\)/, replace: 'if (this.#isReceiving)',
  },
  {
    name: 'snapshot-switch-unannounced', trap: 'etcd #18055: state and log disagree after a crash between the two', file: 'raft/driver/snapshots',
    find: /await this\.#options\.log\.prepareSnapshot\(\{ index: snapshot\.index, term: snapshot\.term \}\);/, replace: '',
  },
  {
    name: 'promotion-lost', trap: 'etcd #19557: the membership on disk is not the one that was applied', file: 'raft/driver/applier',
    find: /const membership = this\.#membership;/, replace: 'const membership = this.#options.stateMachine.durableMembership ?? this.#membership;',
  },
  {
    name: 'pre-votes-count', trap: "canonical/raft #196: a pre-vote's answers count as votes", file: 'raft/core/step',
    find: /if \(\(m\.type === 'pre-vote-resp'\) === \(raft\.role === 'pre-candidate'\)\)/, replace: 'if (true)',
  },
  {
    name: 'failed-write-ignored', trap: 'canonical/raft #320: goes on after a failed write', file: 'raft/log/durable-log',
    find: /await this\.#disk\.write\(operations\);/, replace: 'await this.#disk.write(operations).catch(() => undefined);',
  },
  {
    name: 'state-written-after-failure', trap: 'a member that stops in order writes its state once more, without what a failed write held (found by this simulator)', file: 'raft/driver/applier',
    find: / \|\| this\.#isBroken/, replace: '',
  },
  {
    name: 'vote-forgotten', trap: 'tikv #8381: the vote is not written', file: 'raft/log/durable-log',
    find: /value: encodeHardState\(hardState\)/, replace: 'value: encodeHardState({ ...hardState, vote: 0 })',
  },
  {
    name: 'vote-not-awaited', trap: 'tikv #8381: a candidate is elected before its own vote is on disk', file: 'raft/core/election',
    find: / && raft\.tracker\.hasVoted\(raft\.id\)/, replace: '',
  },
  {
    name: 'term-not-written', trap: 'tikv #8381: a new term alone is not written', file: 'raft/driver/log-writer',
    find: /hardState\.term !== known\.term \|\| hardState\.vote !== known\.vote/, replace: 'false',
  },
  {
    name: 'lagging-term-locks-up', trap: 'tikv #3270: pre-vote with check-quorum leaves a member behind for ever', file: 'raft/core/step',
    find: /\(raft\.settings\.checkQuorum \|\| raft\.settings\.preVote\) &&/, replace: 'false &&',
  },
  {
    name: 'hung-leader-stays', trap: 'hashicorp/raft #503: a leader whose disk hangs is never replaced', file: 'raft/driver/member',
    find: /busyFor_ms > settings\.election_ms/, replace: 'false',
  },
  {
    name: 'checksum-ignored', trap: 'PAR, FAST 2018: a spoiled log entry is taken for good', file: 'raft/log/records',
    find: /checksum !== entryChecksum\(index, term, data\)/, replace: 'checksum === undefined',
  },
  {
    name: 'spoiled-state-spreads', trap: 'PAR, FAST 2018: one spoiled disk brings others down', file: 'services/store/disk/row-check',
    find: /this\.#records = \(this\.#records \+ digestOf\(decodeRecord\(main, sub, value\)\)\) \| 0;/, replace: 'void main; void sub; void digestOf; void decodeRecord;',
  },
  {
    name: 'missing-batch-unnoticed', trap: 'google/leveldb #193: a batch in the middle is lost', file: 'services/store/disk/state-disk',
    find: /state\.mvcc\.digest !== records \|\| state\.leases\.digest !== leases/, replace: 'false',
  },
  {
    name: 'replaced-tail-returns', trap: 'PAR, FAST 2018: a replaced tail of the log is back after a restart', file: 'raft/log/durable-log',
    find: /for \(let at = end \+ 1; at <= last; at\+\+\)/, replace: 'for (let at = end + 1; false; at++)',
  },
  {
    name: 'stale-log-elected', trap: 'Raft paper 5.4.1: a vote for a log that is older', file: 'raft/core/election',
    find: /!mayVote \|\| !raft\.log\.isUpToDate\(\{ term: request\.logTerm, index: request\.index \}\)/, replace: '!mayVote',
  },
  {
    name: 'proposed-twice', trap: 'a late refusal repeats a command (found by this simulator)', file: 'raft/driver/proposals',
    find: /pending === undefined \|\| pending\.sentTerm !== term/, replace: 'pending === undefined',
  },
  {
    name: 'compaction-loses-events', trap: 'etcd #18089: a watch that compaction has overtaken goes on without what is gone', file: 'services/store/watch/hub',
    find: /if \(watcher\.next < this\.#mvcc\.compactRevision\)/, replace: 'if (false)',
  },
  {
    name: 'revision-cut-in-two', trap: 'etcd #17247: events of one transaction come twice', file: 'services/store/watch/hub',
    find: /if \(full && mvcc\.isRevisionStart\(place\)\)/, replace: 'if ((full && mvcc.isRevisionStart(place)) || (events.length > 0 && !mvcc.isRevisionStart(place)))',
  },
  {
    name: 'membership-behind-snapshot', trap: 'etcd #20967: members that were removed are back, since a snapshot did not tell', file: 'raft/driver/applier',
    find: /this\.#membership = membership;\s+this\.#applied = snapshot\.index;/, replace: 'this.#applied = snapshot.index;',
  },
  {
    name: 'switch-not-awaited', trap: 'etcd #6368: a file was renamed and the old state removed, but the rename was not durable', file: 'services/store/disk/directory',
    find: /await this\.#folder\.replaceText\(CURRENT,/, replace: 'void this.#folder.replaceText(CURRENT,',
  },
  {
    name: 'pre-vote-resets-vote', trap: 'canonical/raft #196: a pre-vote resets a real vote', file: 'raft/core/transitions',
    find: /raft\.role = 'pre-candidate';/, replace: "raft.role = 'pre-candidate'; raft.vote = NONE;",
  },
  {
    name: 'deaf-leader-stays', trap: 'Cloudflare 2020: a leader that is heard and hears nobody is never replaced', file: 'raft/core/step',
    find: /if \(!raft\.tracker\.quorumActive\(\)\)/, replace: 'if (false)',
  },
  {
    name: 'old-acknowledgement-counts', trap: 'ABA: an acknowledgement of an older term is counted in a newer one', file: 'raft/core/step',
    find: /m\.term !== 0 && m\.term < raft\.term/, replace: "m.term !== 0 && m.term < raft.term && m.type !== 'app-resp'",
  },
  {
    name: 'change-before-no-op', trap: 'Ongaro 2015: a leader changes the membership before an entry of its term is committed', file: 'raft/driver/member',
    find: /changes: role !== 'leader' \|\| this\.#applier\.isLeading/, replace: 'changes: true',
  },
  {
    name: 'predecessor-unchecked', trap: 'PAR, FAST 2018: a record of an older term is back in its place, whole', file: 'raft/log/durable-log',
    find: /\(previousTerm \?\? before\) === before && entry\.term >= before/, replace: 'previousTerm !== null',
  },
  {
    name: 'lost-end-unnoticed', trap: 'google/leveldb #251: the end of the journal is dropped without a word', file: 'raft/log/durable-log',
    find: /if \(lost !== undefined && options\.onLostEnd === undefined\)\s+throw lost;/, replace: '',
  },
  {
    name: 'newer-command-too-early', trap: 'rolling upgrades: a command is proposed that some member does not understand yet', file: 'services/store/member/core',
    find: /levelOf\(kind\) <= this\.#level/, replace: 'levelOf(kind) <= 2',
  },
  {
    name: 'downgrade-unnoticed', trap: 'no rollback after upgrade: an older program goes on with what it does not understand', file: 'raft/driver/levels',
    find: /agreed <= understood/, replace: 'true',
  },
];
