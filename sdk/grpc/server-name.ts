/**
 * The name that members are checked against. Every member's certificate names the API as pods know it, so that a member
 * is what its key says, whatever address it has today; TLS has no server name for an IP address anyway (RFC 6066).
 */
import { isIP } from 'node:net';
import type { ChannelOptions } from '@grpc/grpc-js';

export const MEMBER_SERVER_NAME = 'kubernetes.default.svc';

/** Channel options for an endpoint `host:port`; `serverName` wins where it is given. */
export function serverNameOptions(endpoint: string, serverName?: string): ChannelOptions {
  const host = endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  const name = serverName ?? (isIP(host) === 0 ? undefined : MEMBER_SERVER_NAME);
  return name === undefined ? {} : { 'grpc.ssl_target_name_override': name };
}
