/** etcdserverpb.Auth: users and passwords do not exist here. Certificates say who a client is, their roles what it may do. */
import type { AuthServer } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { AuthService } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { toEtcdError, unimplemented } from './context.js';

export function authService(): AuthServer {
  const refuse = (_call: unknown, callback: (error: Error) => void) => {
    callback(toEtcdError(unimplemented('there are no users: give the client a certificate whose organization (O=) names its role')));
  };
  return Object.fromEntries(Object.keys(AuthService).map((name) => [name, refuse])) as unknown as AuthServer;
}
