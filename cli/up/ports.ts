/** Whether the ports that `up` is given on loopback have room for all members. Pure. */
import type { UpPlan } from './plan.js';

interface PortUse {
  readonly port: number;
  readonly flag: string;
  readonly what: string;
}

function portsOf({ members, front }: Pick<UpPlan, 'members' | 'front'>): readonly PortUse[] {
  return [
    ...members.flatMap(({ name, apiPort, grpcPort, peerPort }) => [
      { port: apiPort, flag: '--api-port', what: `REST of ${name}` },
      { port: grpcPort, flag: '--grpc-port', what: `gRPC of ${name}` },
      { port: peerPort, flag: '--peer-port', what: `Raft of ${name}` },
    ]),
    { port: front.port, flag: '--api-port', what: 'the address in the kubeconfig' },
  ];
}

/** What is wrong with them, and what to do; undefined: nothing. */
export function portFault(plan: Pick<UpPlan, 'members' | 'front'>): string | undefined {
  const users = new Map<number, PortUse>();
  for (const use of portsOf(plan)) {
    const { port, flag, what } = use;
    if (port < 1 || port > 65_535)
      return `${flag}: ${what} would listen on port ${port}: choose a port that leaves room up to 65535`;
    const other = users.get(port);
    if (other !== undefined)
      return `port ${port} is meant for two: ${other.what} by ${other.flag}, and ${what} by ${flag}: choose ports further apart`;
    users.set(port, use);
  }
  return undefined;
}
