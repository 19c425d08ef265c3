/** Where things lie unless told: below /var/lib for root, in the user's own data folder otherwise. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pkiDirIn } from '../../platform/pki/cluster-pki.js';

export function defaultDataDir(): string {
  const fromEnvironment = process.env['NAVARCH_DATA_DIR'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  if (process.getuid?.() === 0) return '/var/lib/navarch';
  const base = process.env['XDG_DATA_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.local', 'share') : base, 'navarch');
}

/** What lies where below the data directory of `navarch up`. */
export const layout = (dataDir: string) => ({
  pki: pkiDirIn(dataDir),
  kubeconfig: join(dataDir, 'kubeconfig'),
  logs: join(dataDir, 'logs'),
  images: join(dataDir, 'images'),
  /** `<base>.crt` and `<base>.key`: a client of the etcd API. */
  etcdClient: join(dataDir, 'etcd-client'),
  member: (name: string) => join(dataDir, 'members', name),
  worker: (name: string) => join(dataDir, 'workers', name),
});
