import { describe, expect, it } from 'vitest';
import { CommandLevels, GetStatusResponse } from '../../proto/gen/navarch/cluster/v1/cluster.js';
import type { MemberView } from '../../services/server/cluster/member-calls.js';
import { asJson, asText, restartsAsText, type Objects } from './status.js';

const objects: Objects = { nodes: [], pods: [], error: '' };

/** m1, m2, ... as they have told their levels. */
const levels = (inForce: number, ...understood: readonly number[]) =>
  CommandLevels.fromPartial({
    inForce,
    members: understood.map((level, i) => ({ name: `m${i + 1}`, understood: level })),
  });

function view(name: string, appliedIndex: number, commandLevels: CommandLevels | undefined): MemberView {
  const status = GetStatusResponse.fromPartial({
    member: { name },
    role: 'follower',
    term: 2,
    appliedIndex,
    revision: 7,
    commandLevels,
  });
  return { endpoint: `${name}:2379`, status, error: '' };
}

const unreachable: MemberView = { endpoint: 'm3:2379', status: undefined, error: 'no connection' };

it('shows what the workers have contained (issue 6 row 27)', () => {
  const node = (name: string, message?: string) => ({
    metadata: { name },
    status: { conditions: message === undefined ? [] : [{ type: 'ContainedFaults', status: 'True', message }] },
  });
  const withNodes: Objects = { ...objects, nodes: [node('w1', 'dns 3, pod 1; the newest in dns'), node('w2')] };
  expect(
    asText([], withNodes)
      .split('\n')
      .filter((line) => line.includes('faults')),
  ).toEqual(['w1 contained faults: dns 3, pod 1; the newest in dns']);
  expect(asJson([], withNodes)).toMatchObject({
    nodes: [{ name: 'w1', faults: 'dns 3, pod 1; the newest in dns' }, { name: 'w2' }],
  });
});

describe('command levels', () => {
  it('are in no table, but in JSON, while all members understand what is in force', () => {
    const members = [view('m1', 9, levels(2, 2, 2)), view('m2', 9, levels(2, 2, 2))];
    expect(asText(members, objects)).not.toMatch(/level|upgrade/);
    expect(asJson(members, objects)).toMatchObject({
      commandLevels: {
        inForce: 2,
        members: [
          { name: 'm1', understood: 2 },
          { name: 'm2', understood: 2 },
        ],
      },
    });
  });

  it('tell which member holds an upgrade up, also when it cannot be reached', () => {
    const members = [view('m1', 9, levels(1, 2, 2, 1)), view('m2', 9, levels(1, 2, 2, 1)), unreachable];
    expect(asText(members, objects).split('\n')).toContain(
      'upgrade under way: commands of level 1 are in force; m1 understands 2, m2 understands 2, m3 understands 1',
    );
  });

  it('tell that all understand more than they have agreed on yet', () => {
    expect(asText([view('m1', 9, levels(1, 2, 2))], objects)).toContain(
      'upgrade under way: commands of level 1 are in force; m1 understands 2, m2 understands 2',
    );
  });

  it('are those of the member that is furthest', () => {
    const members = [view('m1', 3, levels(1, 1, 1)), view('m2', 9, levels(2, 2, 2)), view('m3', 5, levels(1, 2, 1))];
    expect(asText(members, objects)).not.toContain('upgrade');
    expect(asJson(members, objects)).toMatchObject({ commandLevels: { inForce: 2 } });
  });

  it('are not known of servers without a store, nor of programs that do not tell them', () => {
    const members = [view('s1', 0, undefined), unreachable];
    expect(asText(members, objects)).not.toContain('upgrade');
    expect(asJson(members, objects)).not.toHaveProperty('commandLevels');
  });
});

it('says how often what was started again (issue 6, row 30)', () => {
  const one = { name: 'm1', running: true, restarts: 0, lastExit: '' };
  expect(restartsAsText([])).toBe('');
  expect(restartsAsText([one])).toBe('');
  expect(
    restartsAsText([
      one,
      { ...one, name: 'm2', restarts: 2, lastExit: 'killed by SIGKILL' },
      { name: 'w1', running: false, restarts: 1, lastExit: 'exit code 3' },
    ]),
  ).toBe(
    '\nstarted again by the supervisor, since it began:\n  m2: 2 times, last after killed by SIGKILL\n  w1: 1 time, last after exit code 3; it is down now\n',
  );
});
