/** Ids that members of one cluster agree on before they have spoken. */
import { createHash } from 'node:crypto';
import type { NodeId, PeerInfo } from '../../raft/contract.js';

/** 53 bits that belong to this name in this cluster: never to an address. */
export function memberIdOf(clusterId: string, name: string): NodeId {
  const digest = createHash('sha256').update(`${clusterId}/${name}`).digest();
  const id = Number(digest.readBigUInt64BE() & 0x1f_ffff_ffff_ffffn);
  return (id === 0 ? 1 : id) as NodeId;
}

export interface MemberAddress {
  readonly name: string;
  readonly host: string;
  readonly apiPort: number;
  readonly grpcPort: number;
  readonly peerPort: number;
}

export const hostPort = (host: string, port: number) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

export function peerInfoOf(clusterId: string, member: MemberAddress): PeerInfo {
  return {
    id: memberIdOf(clusterId, member.name),
    name: member.name,
    learner: false,
    peerAddress: hostPort(member.host, member.peerPort),
    clientAddresses: [hostPort(member.host, member.grpcPort)],
  };
}
