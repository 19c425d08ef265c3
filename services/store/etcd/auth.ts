/** etcdserverpb.Auth: users and passwords do not exist here. Certificates say who a client is, their roles what it may do. */
import type { AuthServer } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { AuthService } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { toEtcdError, unimplemented } from './context.js';
import type { EtcdContext } from './context.js';

export function authService(context: EtcdContext): AuthServer {
  const refuse = (_call: unknown, callback: (error: Error) => void) => {
    callback(toEtcdError(unimplemented('there are no users: give the client a certificate whose organization (O=) names its role')));
  };
  const refusing = Object.fromEntries(Object.keys(AuthService).map((name) => [name, refuse])) as unknown as AuthServer;
  // There are no users to turn on: etcd's clients ask, and are told so.
  return {
    ...refusing,
    authStatus: context.unary((_request, identity) => {
      context.require(identity, { kind: 'status' });
      return { header: context.header(), enabled: false, authRevision: 1 };
    }),
  };
}
