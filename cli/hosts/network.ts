/**
 * The hosts' network: a bridge in the machine's own namespace, with an address there, so that kubectl reaches members
 * and node ports; and for each host a namespace with one link to it. No host has a default route: nothing leaves the
 * machine.
 */
import type { Executor } from '../../platform/exec.js';
import { inNetworkNamespace, mustRun } from '../../platform/exec.js';
import type { Host, HostsPlan } from './plan.js';

interface LinkRow {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly master?: string;
  readonly addr_info?: readonly { local?: string; prefixlen?: number }[];
}

async function links(executor: Executor): Promise<LinkRow[]> {
  return JSON.parse(await mustRun(executor, 'ip', ['-j', '-4', 'address', 'show'])) as LinkRow[];
}

export async function namespaces(executor: Executor): Promise<Set<string>> {
  const text = await mustRun(executor, 'ip', ['-j', 'netns', 'list']);
  const rows = text.trim() === '' ? [] : (JSON.parse(text) as { name: string }[]);
  return new Set(rows.map((row) => row.name));
}

async function batch(executor: Executor, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await mustRun(executor, 'ip', ['-batch', '-'], { stdin: `${lines.join('\n')}\n` });
}

const addressOf = (row: LinkRow | undefined) =>
  row?.addr_info?.map(({ local, prefixlen }) => `${local ?? ''}/${prefixlen ?? 0}`) ?? [];

/** Makes what is missing; returns the names of hosts whose namespace was made anew. */
export async function ensureNetwork(plan: HostsPlan, executor: Executor): Promise<Set<string>> {
  const present = await links(executor);
  const taken = present.find((row) => row.ifname !== plan.bridge && addressOf(row).includes(plan.bridgeAddress));
  if (taken !== undefined) {
    throw new Error(
      `${plan.bridgeAddress} is taken by ${taken.ifname ?? 'another link'}: another cluster runs on this machine; take it down, or choose another network`,
    );
  }
  const bridge = present.find((row) => row.ifname === plan.bridge);
  await batch(executor, [
    ...(bridge === undefined ? [`link add ${plan.bridge} type bridge`] : []),
    ...(addressOf(bridge).includes(plan.bridgeAddress) ? [] : [`address add ${plan.bridgeAddress} dev ${plan.bridge}`]),
    `link set ${plan.bridge} up`,
  ]);
  const known = await namespaces(executor);
  const made = new Set<string>();
  for (const host of plan.hosts) {
    if (!known.has(host.namespace)) {
      await mustRun(executor, 'ip', ['netns', 'add', host.namespace]);
      made.add(host.name);
    }
    await ensureLink(plan, host, executor);
  }
  return made;
}

async function ensureLink(plan: HostsPlan, host: Host, executor: Executor): Promise<void> {
  const inside = inNetworkNamespace(executor, host.namespace);
  const address = `${host.address}/${plan.bits}`;
  const eth0 = (await links(inside)).find((row) => row.ifname === 'eth0');
  const whole = eth0 !== undefined && (await executor.run('ip', ['link', 'show', 'dev', host.link])).code === 0;
  if (!whole) {
    // Half a link is none: an end whose namespace has gone vanishes by and by, and its name may still be there.
    await executor.run('ip', ['link', 'delete', host.link]);
    await inside.run('ip', ['link', 'delete', 'eth0']);
    await batch(executor, [`link add ${host.link} type veth peer name eth0 netns ${host.namespace}`]);
  }
  await batch(executor, [`link set ${host.link} master ${plan.bridge} up`]);
  await batch(inside, ['link set lo up', `address replace ${address} dev eth0`, 'link set eth0 up']);
}

/** Takes all of it away; what is not there is fine. */
export async function removeNetwork(plan: HostsPlan, executor: Executor): Promise<void> {
  const known = await namespaces(executor);
  for (const host of plan.hosts) {
    if (known.has(host.namespace)) await mustRun(executor, 'ip', ['netns', 'delete', host.namespace]);
    await executor.run('ip', ['link', 'delete', host.link]);
  }
  await executor.run('ip', ['link', 'delete', plan.bridge]);
}
