/** Two services of one `up` on the same port: said before anything is started, not by a member that cannot listen. */
import { describe, expect, it } from 'vitest';
import { planLoopback } from './plan.js';
import { portFault } from './ports.js';

function fault(members: number, [apiPort, grpcPort, peerPort]: readonly [number, number, number]): string | undefined {
  return portFault(
    planLoopback({ dataDir: '/d', members, workers: 1, apiPort, grpcPort, peerPort, nodeGrace_s: 1, toleration_s: 1 }),
  );
}

describe('ports of up', () => {
  it.each<[number, [number, number, number]]>([
    [3, [6443, 2379, 2380]],
    [9, [6443, 2379, 2380]],
    [1, [26_000, 26_010, 26_020]],
    [3, [26_000, 26_010, 26_011]],
  ])('%i members from %j have room', (members, first) => {
    expect(fault(members, first)).toBeUndefined();
  });

  it.each<[string, number, [number, number, number], string]>([
    [
      'Raft of m1 on gRPC of m2',
      3,
      [26_000, 26_010, 26_020],
      'port 26020 is meant for two: Raft of m1 by --peer-port, and gRPC of m2 by --grpc-port',
    ],
    [
      'gRPC of m1 on REST of m2',
      3,
      [26_000, 26_001, 26_102],
      'port 26001 is meant for two: gRPC of m1 by --grpc-port, and REST of m2 by --api-port',
    ],
    ['all the same', 1, [26_000, 26_000, 26_000], 'port 26000 is meant for two'],
    [
      'the front on gRPC',
      1,
      [26_000, 26_009, 26_020],
      'port 26009 is meant for two: gRPC of m1 by --grpc-port, and the address in the kubeconfig by --api-port',
    ],
    ['Raft of m1 on gRPC of m3', 3, [26_000, 26_010, 26_030], 'port 26030 is meant for two'],
    ['beyond the last port', 3, [26_000, 26_010, 65_530], '--peer-port: Raft of m2 would listen on port 65540'],
    ['no port', 1, [0, 26_010, 26_011], '--api-port: REST of m1 would listen on port 0'],
  ])('%s is refused', (_what, members, first, message) => {
    expect(fault(members, first)).toContain(message);
  });
});
