/**
 * Revisions are int64 in annotations that anyone may write (k8s.io/kubernetes/pkg/controller/deployment/util, Revision
 * and MaxRevision).
 */
import { describe, expect, it } from 'vitest';
import type { ReplicaSet } from '../../../apimachinery/gen/types.js';
import { templateHash } from '../lib/workload/pod-template.js';
import { byRevision, historyWith, laterRevision, maxRevision, REVISION, revisionOf } from './revision.js';

const set = (revision?: string): ReplicaSet => ({
  metadata: { name: revision ?? '', annotations: revision === undefined ? {} : { [REVISION]: revision } },
});

describe('a revision', () => {
  it.each<[string | undefined, bigint]>([
    ['1', 1n],
    ['+7', 7n],
    ['9007199254740993', 9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['-3', -3n],
    ['9223372036854775808', 0n],
    ['99999999999999999999', 0n],
    ['1.5', 0n],
    ['1e3', 0n],
    ['x', 0n],
    ['', 0n],
    [undefined, 0n],
  ])('of %j is %s', (text, wanted) => {
    expect(revisionOf(set(text))).toBe(wanted);
  });

  it('of 19 digits is followed by the next one, and orders sets', () => {
    const sets = ['9007199254740993', '9007199254740992', '5', 'x'].map(set);
    expect(maxRevision(sets) + 1n).toBe(9007199254740994n);
    expect(laterRevision(9007199254740992n, maxRevision(sets))).toBe(9007199254740993n);
    expect(sets.toSorted(byRevision).map(({ metadata }) => metadata?.name)).toEqual([
      'x',
      '5',
      '9007199254740992',
      '9007199254740993',
    ]);
  });

  it('of a template takes every digit of an int64 into the hash', () => {
    const template = (seconds: bigint) => ({ spec: { containers: [], terminationGracePeriodSeconds: seconds } });
    expect(templateHash(template(9007199254740993n), undefined)).not.toBe(
      templateHash(template(9007199254740995n), undefined),
    );
  });

  it.each<[string, string | undefined, bigint, string]>([
    ['the first', undefined, 1n, '1'],
    ['after an empty text', '', 2n, '2'],
    ['another', '1,3', 4n, '1,3,4'],
  ])('goes into the history: %s', (_, ...[history, revision, wanted]) => {
    expect(historyWith(history, revision)).toBe(wanted);
  });

  it('goes into a history of 2,000 characters at most, from which the oldest fall out', () => {
    const long = Array.from({ length: 400 }, (_, i) => 1000 + i).join(',');
    const history = historyWith(long, 5000n);
    expect([history.length <= 2000, history.startsWith('1001,'), history.endsWith(',1399,5000')]).toEqual([
      true,
      true,
      true,
    ]);
  });
});
