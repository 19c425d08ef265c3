/**
 * Tests that ask Debian's etcd-server and a member of ours the same: answers and refusals must be the same, down to the
 * texts that clients match on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacksEtcd, startEtcdServer } from './etcd-server.js';
import type { EtcdServer } from './etcd-server.js';
import { startTestMembers } from './members.js';
import type { TestMembers } from './members.js';
import { Subject } from './subject.js';
import type { Plain } from './subject.js';

/** Declares a test: runs the case on both and compares what it returns. */
export type Same = (name: string, run: (subject: Subject) => Promise<Plain>) => void;

/** `thread`: ours runs as in production, its state behind the frames between threads; needs a build. */
export function sideBySide(name: string, { thread }: { readonly thread: boolean }, define: (same: Same) => void): void {
  describe.skipIf(lacksEtcd(name))(name, () => {
    let etcd: EtcdServer;
    let own: TestMembers;
    let theirs: Subject;
    let ours: Subject;

    beforeAll(async () => {
      [etcd, own] = await Promise.all([startEtcdServer(), startTestMembers(1, { thread })]);
      theirs = new Subject(etcd.address);
      ours = new Subject(own.addresses[0] ?? '');
    });
    afterAll(async () => {
      theirs?.close();
      ours?.close();
      await Promise.all([etcd?.stop(), own?.stop()]);
    });

    define((title, run) => {
      it(title, async () => {
        const [expected, found] = await Promise.all(
          [theirs, ours].map(async (subject) => {
            await subject.begin();
            return run(subject);
          }),
        );
        expect(found).toEqual(expected);
      });
    });
  });
}

/** One after the other, with what each was told. */
export async function all(asked: readonly (() => Promise<Plain>)[]): Promise<Plain> {
  const told: Plain[] = [];
  for (const ask of asked) told.push(await ask());
  return told;
}
