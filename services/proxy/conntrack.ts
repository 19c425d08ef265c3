/** Forgetting UDP flows that the rules no longer agree with; TCP connections end by themselves. */
import type { Executor } from '../../platform/exec.js';
import type { StaleFlow } from './table.js';

/** Arguments of `conntrack` that delete exactly these flows. */
export function conntrackArgs(flow: StaleFlow): string[] {
  const { at } = flow;
  return [
    '-D',
    '-f',
    'ipv4',
    '-p',
    at.protocol,
    '--orig-port-dst',
    String(at.port),
    ...(at.kind === 'address' ? ['--orig-dst', at.address] : []),
    ...(flow.backend === undefined ? [] : ['--dst-nat', flow.backend]),
  ];
}

/**
 * Of a listing by `conntrack -L -p udp`, the flows to our frontends that go to none of their backends, as arguments of
 * `conntrack` that delete them. `backends`: frontend key -> `address . port` of each backend, for UDP frontends.
 */
export function strayFlows(listing: string, backends: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const stray: string[][] = [];
  for (const line of listing.split('\n')) {
    // src dst sport dport as sent, then the same four as the answer is expected.
    const fields = [...line.matchAll(/\b(src|dst|sport|dport)=([0-9.]+)/g)].map((match) => match[2] ?? '');
    const [src, dst, sport, dport, answerer, , answererPort] = fields;
    if (fields.length !== 8 || src === undefined || dst === undefined || sport === undefined || dport === undefined)
      continue;
    const allowed = backends.get(`${dst} . udp . ${dport}`) ?? backends.get(`udp . ${dport}`);
    if (allowed === undefined || allowed.has(`${answerer} . ${answererPort}`)) continue;
    stray.push([
      '-D',
      '-f',
      'ipv4',
      '-p',
      'udp',
      '--orig-src',
      src,
      '--orig-dst',
      dst,
      '--orig-port-src',
      sport,
      '--orig-port-dst',
      dport,
    ]);
  }
  return stray;
}

/** Compares all UDP flows with the backends there are: for when it is not known what changed. */
export async function forgetStrayFlows(
  executor: Executor,
  backends: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<string[]> {
  if (backends.size === 0) return [];
  const listing = await executor.run('conntrack', ['-L', '-f', 'ipv4', '-p', 'udp']);
  if (listing.code !== 0) return [listing.stderr.trim()];
  return deleteAll(executor, strayFlows(listing.stdout, backends));
}

/** Deletes the flows; returns what the tool complained of, but not that there was nothing to delete. */
export function forgetFlows(executor: Executor, flows: readonly StaleFlow[]): Promise<string[]> {
  return deleteAll(executor, flows.map(conntrackArgs));
}

async function deleteAll(executor: Executor, commands: readonly string[][]): Promise<string[]> {
  const complaints = new Set<string>();
  for (const args of commands) {
    const result = await executor.run('conntrack', args);
    if (result.code !== 0 && !result.stderr.includes('0 flow entries')) complaints.add(result.stderr.trim());
  }
  return [...complaints];
}
