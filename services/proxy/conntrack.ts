/** Forgetting UDP flows that the rules no longer agree with; TCP connections end by themselves. */
import type { Executor } from '../../platform/exec.js';
import type { StaleFlow } from './table.js';

/** Arguments of `conntrack` that delete exactly these flows. */
export function conntrackArgs(flow: StaleFlow): string[] {
  const { at } = flow;
  return [
    '-D', '-f', 'ipv4', '-p', at.protocol, '--orig-port-dst', String(at.port),
    ...(at.kind === 'address' ? ['--orig-dst', at.address] : []),
    ...(flow.backend === undefined ? [] : ['--dst-nat', flow.backend]),
  ];
}

/** Deletes the flows; returns what the tool complained of, but not that there was nothing to delete. */
export async function forgetFlows(executor: Executor, flows: readonly StaleFlow[]): Promise<string[]> {
  const complaints = new Set<string>();
  for (const flow of flows) {
    const result = await executor.run('conntrack', conntrackArgs(flow));
    if (result.code !== 0 && !result.stderr.includes('0 flow entries')) complaints.add(result.stderr.trim());
  }
  return [...complaints];
}
