/**
 * etcdserverpb.Auth: users and passwords do not exist here. Certificates say who a client is, their roles what it may
 * do. So it is an etcd without users, whose authentication is off and stays off: clients that were given a password
 * find that they need none.
 */
import { status } from '@grpc/grpc-js';
import type { AuthServer } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { EtcdError, unimplemented } from './errors.js';
import type { EtcdContext } from './context.js';

export function authService(context: EtcdContext): AuthServer {
  /** For those who may see the member's state; the others are refused. */
  const answer = <R>(make: () => R) =>
    context.unary((_request: unknown, identity): R => {
      context.require(identity, { kind: 'status' });
      return make();
    });
  const refuse = (error: EtcdError) =>
    answer((): never => {
      throw error;
    });
  const noUser = refuse(notThere('user name not found'));
  const noRole = refuse(notThere('role name not found'));
  const certificatesDo = refuse(
    unimplemented('there are no users: give the client a certificate whose organization (O=) names its role'),
  );
  return {
    authEnable: certificatesDo,
    authDisable: answer(() => ({ header: context.header() })),
    authStatus: answer(() => ({ header: context.header(), enabled: false, authRevision: 1 })),
    authenticate: refuse(notThere('authentication is not enabled')),
    userAdd: certificatesDo,
    userGet: noUser,
    userList: answer(() => ({ header: context.header(), users: [] })),
    userDelete: noUser,
    userChangePassword: noUser,
    userGrantRole: noUser,
    userRevokeRole: noUser,
    roleAdd: certificatesDo,
    roleGet: noRole,
    roleList: answer(() => ({ header: context.header(), roles: [] })),
    roleDelete: noRole,
    roleGrantPermission: noRole,
    roleRevokePermission: noRole,
  };
}

const notThere = (what: string) => new EtcdError(status.FAILED_PRECONDITION, `etcdserver: ${what}`);
