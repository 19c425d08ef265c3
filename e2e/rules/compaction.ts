/** What is left of the past after a compaction, by etcd's API and by Kubernetes'. */
import { expect, it } from 'vitest';
import { until } from '../lib/until.js';
import { accepted, namespace, post, refused, type Place } from './place.js';

interface Header {
  readonly header: { readonly revision: number };
}

export function compactionRules(place: () => Place): void {
  /** The revision of this very write: a later read's header may be that of another's write. */
  const written = async (args: readonly string[]) =>
    (JSON.parse(await place().etcdctl.ok([...args, '-w', 'json'])) as Header).header.revision;
  const fails = async (args: readonly string[], message: RegExp) => {
    const { code, stdout, stderr } = await place().etcdctl.run(args);
    expect(`${stdout}${stderr}`).toMatch(message);
    expect(code).not.toBe(0);
  };

  it('a watch from before a compaction is cancelled, one from its very revision is served; 410 with a token that goes on', async () => {
    const home = await namespace(place(), 'compacted');
    const { etcdctl, rest } = place();
    const put = await written(['put', 'rules/a', '1']);
    const deleted = await written(['del', 'rules/a']);
    await written(['put', 'rules/b', '1']);
    for (const name of ['a', 'b', 'c']) accepted(await post(place(), `${home}/configmaps`, { metadata: { name } }));
    const page = async (path: string) =>
      accepted(await rest.get(path)) as { metadata: { continue?: string }; items: { metadata: { name: string } }[] };
    const {
      metadata: { continue: token = '' },
      items: [first],
    } = await page(`${home}/configmaps?limit=1`);
    const list = `${home}/configmaps?limit=1&continue=${encodeURIComponent(token)}`;

    await etcdctl.ok(['compact', String(deleted)]);
    const cancelled = etcdctl.start(['watch', 'rules/', '--prefix', '--rev', String(put)]);
    const served = etcdctl.start(['watch', 'rules/', '--prefix', '--prev-kv', '--rev', String(deleted)]);
    try {
      await cancelled.ended();
      expect(`${cancelled.stdout}${cancelled.stderr}`).toMatch(/compacted/);
      await served.prints(/rules\/b/);
      // What the key was before its deletion is compacted away: no previous value stands between the two.
      expect(served.stdout).toMatch(/^DELETE\nrules\/a\n\n?PUT\nrules\/b\n1\n/);
    } finally {
      await Promise.all([cancelled.stop(), served.stop()]);
    }
    await fails(['compact', String(deleted)], /compacted/);
    await fails(['compact', '99999999999'], /future/);
    await fails(['get', 'rules/a', '--rev', String(put)], /compacted/);
    expect(await etcdctl.ok(['get', 'rules/a', '--rev', String(deleted), '--print-value-only'])).toBe('');
    await fails(['get', 'rules/a', '--rev', '99999999999'], /future/);

    // The list was begun before this compaction, and there has been a change: it cannot go on as it was, but from its
    // place.
    accepted(await post(place(), `${home}/configmaps`, { metadata: { name: 'd' } }));
    await etcdctl.ok(['compact', String(await written(['put', 'rules/b', '2']))]);
    const expired = await until('this member to have compacted', async () => {
      const answer = await rest.get(list);
      return answer.code === 200 ? undefined : answer;
    });
    refused(expired, 410, /continue parameter is too old/);
    const fresh = (JSON.parse(expired.text) as { metadata: { continue?: string } }).metadata.continue ?? '';
    const remaining = await page(`${home}/configmaps?continue=${encodeURIComponent(fresh)}`);
    expect([first?.metadata.name, ...remaining.items.map(({ metadata }) => metadata.name)]).toEqual([
      'a',
      'b',
      'c',
      'd',
      'kube-root-ca.crt',
    ]);
  });
}
