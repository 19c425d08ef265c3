import { describe, expect, it } from 'vitest';
import { planHosts } from './plan.js';

const options = { dataDir: '/var/lib/navarch', members: 3, workers: 2, sandboxImage: 'navarch.local/pause:1' };

describe('planHosts', () => {
  it('gives the same plan for the same folder, and no name of another', () => {
    expect(planHosts(options)).toEqual(planHosts({ ...options, dataDir: '/var/lib/../lib/navarch/' }));
    const names = (dataDir: string) =>
      planHosts({ ...options, dataDir }).hosts.flatMap((host) => [
        host.namespace,
        host.link,
        host.runDir,
        host.dataDir,
      ]);
    expect(names('/a').filter((name) => names('/b').includes(name))).toEqual([]);
  });

  it('gives each host its own address and names that the kernel takes', () => {
    const plan = planHosts({ ...options, members: 9, workers: 200, dataDir: `/${'long/'.repeat(60)}` });
    expect(new Set(plan.hosts.map((host) => host.address)).size).toBe(209);
    expect(plan.hosts.map((host) => host.address).filter((address) => Number(address.split('.')[3]) > 254)).toEqual([]);
    for (const name of [plan.bridge, ...plan.hosts.map((host) => host.link)])
      expect(name.length).toBeLessThanOrEqual(15);
    for (const host of plan.hosts) expect((host.containerd?.socket ?? '').length).toBeLessThan(60);
  });

  it('gives containerd what this kind of machine needs', () => {
    const config = planHosts(options).hosts.at(-1)?.containerd?.config ?? '';
    for (const line of [
      'restrict_oom_score_adj = true',
      'sandbox_image = "navarch.local/pause:1"',
      'bin_dir = "/usr/lib/cni"',
      'conf_dir = "/var/lib/navarch/w2/cni/conf"',
      'root = "/var/lib/navarch/w2/containerd"',
      'netns_mounts_under_state_dir = true',
    ])
      expect(config).toContain(line);
  });

  it('quotes what would be more than a path', () => {
    const config =
      planHosts({ ...options, dataDir: '/tmp/a"\n[grpc]\ntcp_address = "x' }).hosts.at(-1)?.containerd?.config ?? '';
    expect(config.split('\n').filter((line) => line.startsWith('tcp_address'))).toEqual([]);
  });

  it.each([
    [{ members: 10 }, /members/],
    [{ members: 1.5 }, /members/],
    [{ workers: -1 }, /workers/],
    [{ underlay: '10.0.0.0/8' }, /\/24/],
    [{ underlay: 'x.0/24' }, /\/24/],
  ])('refuses %j', (bad, message) => expect(() => planHosts({ ...options, ...bad })).toThrow(message));
});
