/**
 * The CNI configuration that the container runtime reads. Written whole or not at all: the runtime watches the folder.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { firstHost, parseCidr } from './address.js';

export interface CniOptions {
  /** The runtime's `conf_dir`, this worker's own. */
  readonly confDir: string;
  /** Where host-local keeps leases: this worker's own, since several may share a machine. */
  readonly dataDir: string;
  /**
   * 'ptp' (the default): each pod on a routed link of its own, so that traffic between pods of one node passes the
   * Services' rules without bridge netfilter. 'bridge': all on one bridge; needs `net.bridge.bridge-nf-call-iptables`.
   */
  readonly link?: 'ptp' | 'bridge';
  /** Chains the portmap plugin for `hostPort`. It needs iptables. */
  readonly hostPorts?: boolean;
}

/** With `link: 'bridge'`. */
export const POD_BRIDGE = 'nv-pods';

/** The first in the folder by name is the one that the runtime takes. */
export const CNI_FILE = '10-navarch.conflist';

/** The network configuration list (CNI 1.0.0) for the pods of this subnet. */
export function cniConfig(options: CniOptions & { readonly podCIDR: string; readonly mtu: number }): object {
  const cidr = parseCidr(options.podCIDR);
  if (cidr === undefined) throw new Error(`not an IPv4 network: ${JSON.stringify(options.podCIDR)}`);
  const ipam = {
    type: 'host-local',
    dataDir: options.dataDir,
    ranges: [[{ subnet: options.podCIDR, gateway: firstHost(cidr) }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const link =
    options.link === 'bridge'
      ? {
          type: 'bridge',
          bridge: POD_BRIDGE,
          isGateway: true,
          hairpinMode: true,
          ipMasq: false,
          mtu: options.mtu,
          ipam,
        }
      : { type: 'ptp', ipMasq: false, mtu: options.mtu, ipam };
  const plugins: object[] = [link];
  if (options.hostPorts === true) plugins.push({ type: 'portmap', capabilities: { portMappings: true }, snat: true });
  return { cniVersion: '1.0.0', name: 'navarch', plugins };
}

/** Writes the file unless it says the same already; true when it was written. */
export async function writeCniConfig(
  options: CniOptions & { readonly podCIDR: string; readonly mtu: number },
): Promise<boolean> {
  const text = `${JSON.stringify(cniConfig(options), undefined, 2)}\n`;
  const path = join(options.confDir, CNI_FILE);
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return false;
  await mkdir(options.confDir, { recursive: true });
  await mkdir(options.dataDir, { recursive: true });
  // The runtime takes any file that ends in .conflist: the temporary one must not.
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  return true;
}

/** The runtime then reports its network as not ready. */
export async function removeCniConfig(options: Pick<CniOptions, 'confDir'>): Promise<void> {
  await rm(join(options.confDir, CNI_FILE), { force: true });
}
