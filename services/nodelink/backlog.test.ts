/** What waits of a worker's reports: the newest of each, within bytes (issue 6, row 2). */
import { describe, expect, it } from 'vitest';
import type { EventReport } from '../../proto/gen/navarch/node/v1/node.js';
import { Backlog, ReportError } from './backlog.js';

const podReport = (uid: string, status = '{}') => ({
  namespace: 'default',
  name: 'a',
  uid,
  status: Buffer.from(status),
});
const event = (fields: Partial<EventReport>): EventReport => ({
  namespace: 'default',
  podName: 'a',
  podUid: 'u',
  fieldPath: '',
  type: 'Normal',
  reason: 'Started',
  message: '',
  firstMs: 0,
  lastMs: 0,
  count: 1,
  ...fields,
});

describe('Backlog', () => {
  it('gives the node before pods, pods before Events, and of each the newest', () => {
    const backlog = new Backlog();
    backlog.event(event({ message: 'm' }));
    backlog.pod(podReport('u', '{"phase":"Pending"}'));
    backlog.pod(podReport('u', '{"phase":"Running"}'));
    backlog.podEnded(podReport('u'));
    backlog.node(Buffer.from('{}'));
    expect(backlog.take()).toMatchObject({ kind: 'node' });
    expect(backlog.take()).toMatchObject({
      kind: 'pod',
      entry: { status: Buffer.from('{"phase":"Running"}'), ended: true },
    });
    expect(backlog.take()).toMatchObject({ kind: 'event' });
    expect(backlog.take()).toBeUndefined();
    backlog.nodeAgain();
    expect(backlog.take()).toMatchObject({ kind: 'node' });
  });

  it('what failed waits again, unless a newer report came; an end is kept', () => {
    const backlog = new Backlog();
    backlog.pod(podReport('u', 'old'));
    backlog.podEnded(podReport('u'));
    const [failed] = [backlog.take()];
    backlog.pod(podReport('u', 'new'));
    if (failed !== undefined) backlog.again(failed);
    expect(backlog.take()).toMatchObject({ entry: { status: Buffer.from('new'), ended: true } });
  });

  it('counts bytes of what waits only: reports that are taken or replaced make room', () => {
    const backlog = new Backlog();
    const megabyte = 'x'.repeat(1 << 20);
    for (let i = 0; i < 100; i++) backlog.pod(podReport('same', megabyte));
    for (let i = 0; i < 100; i++) {
      backlog.pod(podReport(`u${i}`, megabyte));
      backlog.take();
    }
    expect(() => {
      for (let i = 0; i < 100; i++) backlog.pod(podReport(`v${i}`, megabyte));
    }).toThrow(ReportError);
    expect(() => {
      for (let i = 0; i < 100_000; i++) backlog.podEnded(podReport(`w${i}`));
    }).toThrow(ReportError);
  });

  it('cuts the messages of Events, and drops those that no API takes and those beyond 500', () => {
    const backlog = new Backlog();
    for (const field of ['namespace', 'podName', 'podUid', 'fieldPath', 'reason'] as const)
      backlog.event(event({ [field]: 'x'.repeat(5_000) }));
    expect(backlog.take()).toBeUndefined();
    for (let i = 0; i < 600; i++) backlog.event(event({ message: 'x'.repeat(100_000) }));
    const taken = [];
    for (let next = backlog.take(); next !== undefined; next = backlog.take())
      taken.push(next.kind === 'event' ? next.event.message.length : -1);
    expect(taken).toEqual(Array<number>(500).fill(1024));
  });
});
