/** The only place where the overlay talks to the kernel: looks, makes the device, runs batches. */
import type { Executor } from '../../platform/exec.js';
import { CommandError, mustRun } from '../../platform/exec.js';
import type { Device, Underlay } from './backend.js';
import { VXLAN_DEVICE } from './backend.js';
import { POD_BRIDGE } from './cni.js';
import { ROUTE_PROTOCOL, parseState } from './kernel-state.js';
import type { Commands, KernelState } from './kernel-state.js';

const BRIDGE_FILTERING = 'net.bridge.bridge-nf-call-iptables';

interface LinkRow {
  readonly ifname?: string;
  readonly mtu?: number;
  readonly address?: string;
  readonly flags?: readonly string[];
  readonly link?: string;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> };
  readonly addr_info?: readonly { readonly local?: string }[];
}

export class OverlayKernel {
  readonly #executor: Executor;

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /** The link that has `address`; undefined when none has. */
  async underlay(address: string): Promise<Underlay | undefined> {
    const rows = JSON.parse(
      await mustRun(this.#executor, 'ip', ['-j', '-4', 'address', 'show', 'to', `${address}/32`]),
    ) as LinkRow[];
    const row = rows.find((candidate) => candidate.addr_info?.some(({ local }) => local === address));
    return row?.ifname === undefined || row.mtu === undefined ? undefined : { dev: row.ifname, mtu: row.mtu };
  }

  /**
   * Makes the device as it should be; one that differs in what cannot be changed is made anew. True when it changed.
   */
  async ensureDevice(device: Device): Promise<boolean> {
    const found = await this.#executor.run('ip', ['-j', '-d', 'link', 'show', 'dev', device.name]);
    const row = found.code === 0 ? (JSON.parse(found.stdout) as LinkRow[])[0] : undefined;
    if (row !== undefined && isRight(row, device)) return false;
    const lines = row === undefined ? [] : [`link delete ${device.name}`];
    lines.push(
      `link add ${device.name} address ${device.mac} mtu ${device.mtu} ${device.kind.join(' ')}`,
      `address add ${device.address} dev ${device.name}`,
      `link set ${device.name} up`,
    );
    await this.#batch('ip', lines, []);
    return true;
  }

  /** Addresses that this node answers itself. Host scope: the kernel never picks one as a sender's address. */
  async ensureLocalAddresses(addresses: readonly string[]): Promise<void> {
    await this.#batch(
      'ip',
      ['link set lo up', ...addresses.map((address) => `address replace ${address}/32 dev lo scope host`)],
      [],
    );
  }

  /** Of a backend that was used before. Not there: fine. */
  async removeDevice(name: string): Promise<void> {
    const found = await this.#executor.run('ip', ['-j', 'link', 'show', 'dev', name]);
    if (found.code === 0) await this.#batch('ip', [`link delete ${name}`], []);
  }

  /** What one pod sends to another over a bridge passes the Services' rules only with this. */
  async enableBridgeFiltering(): Promise<void> {
    const result = await this.#executor.run('sysctl', ['-q', '-w', `${BRIDGE_FILTERING}=1`]);
    if (result.code !== 0) {
      throw new Error(
        `pods on a bridge cannot reach Services without ${BRIDGE_FILTERING}: load the kernel module br_netfilter, or choose --cni-link ptp (${result.stderr.trim()})`,
      );
    }
  }

  async enableForwarding(): Promise<void> {
    await mustRun(this.#executor, 'sysctl', ['-q', '-w', 'net.ipv4.ip_forward=1']);
  }

  /** What the kernel holds of ours. `dev` undefined: the backend has no device. */
  async observe(dev: string | undefined): Promise<KernelState> {
    const routes = await mustRun(this.#executor, 'ip', [
      '-j',
      '-4',
      'route',
      'show',
      'protocol',
      String(ROUTE_PROTOCOL),
    ]);
    if (dev === undefined) return parseState({ routes, neighbours: '', forwarding: '', dev: '' });
    const neighbours = await mustRun(this.#executor, 'ip', [
      '-j',
      '-4',
      'neighbour',
      'show',
      'dev',
      dev,
      'nud',
      'permanent',
    ]);
    const forwarding = await mustRun(this.#executor, 'bridge', ['-j', 'fdb', 'show', 'dev', dev]);
    return parseState({ routes, neighbours, forwarding, dev });
  }

  /** Runs all lines, also after one that failed, so that one bad peer does not cut off the others; then throws. */
  async apply(commands: Commands): Promise<void> {
    const failures: unknown[] = [];
    for (const tool of ['bridge', 'ip'] as const) {
      await this.#batch(tool, commands[tool], ['-force']).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Takes off everything that the overlay ever makes. */
  async remove(localAddresses: readonly string[]): Promise<void> {
    const { routes } = await this.observe(undefined);
    const lines = [
      ...[...routes.keys()].map((key) => `route delete ${key} protocol ${ROUTE_PROTOCOL}`),
      ...localAddresses.map((address) => `address delete ${address}/32 dev lo`),
      `link delete ${VXLAN_DEVICE}`,
      `link delete ${POD_BRIDGE}`,
    ];
    // What is not there cannot be deleted, and need not be.
    await this.#batch('ip', lines, ['-force']).catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
    });
  }

  async #batch(tool: 'ip' | 'bridge', lines: readonly string[], flags: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    await mustRun(this.#executor, tool, [...flags, '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  }
}

function isRight(row: LinkRow, device: Device): boolean {
  const data = { ...row.linkinfo?.info_data };
  return (
    row.address === device.mac &&
    row.mtu === device.mtu &&
    row.flags?.includes('UP') === true &&
    Object.entries(device.data).every(([key, value]) => data[key] === value)
  );
}
