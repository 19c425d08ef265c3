/**
 * What a scenario needs of the machine. What is missing is said on standard error, once per file: nothing is skipped in
 * silence.
 */
import { existsSync } from 'node:fs';
import { findKubectl } from './kubectl.js';
import { hasEtcd } from './etcd-cluster.js';
import { hasEtcdctl } from './etcdctl.js';

export type Need = 'kubectl' | 'etcdctl' | 'etcd' | 'root' | 'containers';

const CONTAINER_FILES = [
  '/usr/bin/containerd',
  '/usr/sbin/runc',
  '/usr/lib/cni/bridge',
  '/usr/sbin/nft',
  '/bin/busybox',
];

function lacks(need: Need): string[] {
  switch (need) {
    case 'kubectl':
      return findKubectl() === undefined ? ['kubectl'] : [];
    case 'etcdctl':
      return hasEtcdctl() ? [] : ['etcdctl (Debian package etcd-client)'];
    case 'etcd':
      return hasEtcd() ? [] : ['etcd (Debian package etcd-server)'];
    case 'root':
      return process.getuid?.() === 0 ? [] : ['root'];
    case 'containers':
      return [...lacks('root'), ...CONTAINER_FILES.filter((path) => !existsSync(path))];
  }
}

/** Empty when everything is there. */
export function missing(scenario: string, needs: readonly Need[]): string[] {
  const found = [...new Set(needs.flatMap(lacks))];
  if (found.length > 0) process.stderr.write(`${scenario}: skipped, this machine has no ${found.join(', no ')}\n`);
  return found;
}
