/**
 * Who may use the etcd API, by the organization in the client's certificate: administrators everything, monitors the
 * state of the members. Workers and users of the Kubernetes API have no business in the store: they would pass its
 * rights by.
 */
import type { EtcdAuthorizer, EtcdOperation } from '../store/etcd/index.js';

const ADMINISTRATORS = new Set(['system:masters', 'navarch:etcd-admin', 'navarch:apiserver']);
const MONITOR = 'system:monitoring';
const MONITORS_MAY: ReadonlySet<EtcdOperation['kind']> = new Set(['use', 'status', 'members-read']);

export const authorizeEtcd: EtcdAuthorizer = (identity, operation) => {
  if (identity === undefined) return false;
  if (identity.roles.some((role) => ADMINISTRATORS.has(role))) return true;
  return identity.roles.includes(MONITOR) && MONITORS_MAY.has(operation.kind);
};
