import { describe, expect, it } from 'vitest';
import { Command } from 'commander';
import { addAgentCommand } from '../commands/agent.js';
import { planHosts } from '../hosts/plan.js';
import { planLoopback, planOnHosts, type UpOptions } from './plan.js';

const base: UpOptions = {
  dataDir: '/tmp/nv-plan',
  members: 1,
  workers: 3,
  apiPort: 1,
  grpcPort: 2,
  peerPort: 3,
  nodeGrace_s: 40,
  toleration_s: 300,
};
const hosts = planHosts({ ...base, sandboxImage: 'pause' });
const agents = (options: Partial<UpOptions>) =>
  planOnHosts({ ...base, ...options }, hosts)
    .processes.map(({ args }) => args)
    .filter(([command]) => command === 'agent');
const flag = (args: readonly string[], name: string) =>
  args.includes(name) ? args[args.indexOf(name) + 1] : undefined;

/** Issue 6 rows 24 and 28. */
describe('the workers of up', () => {
  it('that are real each claim an equal part of the machine, hollow ones pretend to have all of it', () => {
    expect(agents({}).map((args) => flag(args, '--workers-here'))).toEqual(['3', '3', '3']);
    const hollow = planLoopback(base).processes.map(({ args }) => args);
    expect(hollow.some((args) => args.includes('--workers-here'))).toBe(false);
  });

  it.each([
    [{ workerCapacity: 'cpu=2' }, '--capacity', 'cpu=2'],
    [{ cniLink: 'bridge' }, '--cni-link', 'bridge'],
    [{ overlayBackend: 'host-gw' }, '--overlay-backend', 'host-gw'],
  ])('are handed %j', (options, name, value) => {
    expect(agents(options).map((args) => flag(args, name))).toEqual([value, value, value]);
    expect(agents({}).some((args) => args.includes(name))).toBe(false);
  });

  it.each([
    ['--cni-link', 'macvlan'],
    ['--overlay-backend', 'ipip'],
  ])('refuse %s %s', async (name, value) => {
    const program = new Command().exitOverride();
    addAgentCommand(program);
    for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => undefined });
    await expect(program.parseAsync(['agent', '--server', 'x:1', name, value], { from: 'user' })).rejects.toThrow(
      `argument '${value}' is invalid. Allowed choices are`,
    );
  });
});
