/** Facts about the machine the agent runs on, from /proc and the operating system. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, freemem, hostname, release, totalmem } from 'node:os';
import type { DnsConfig } from '../runtime/runtime.js';
import type { MachineFacts } from './report.js';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

async function read(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return '';
  }
}

export async function machineFacts(nodeName: string, dataDir: string | undefined): Promise<MachineFacts> {
  const [meminfo, release_, pidMax, loadavg, machineId, bootId] = await Promise.all([
    read('/proc/meminfo'), read('/etc/os-release'), read('/proc/sys/kernel/pid_max'), read('/proc/loadavg'), read('/etc/machine-id'),
    read('/proc/sys/kernel/random/boot_id'),
  ]);
  const disk = await statfs(dataDir ?? '/').catch(() => undefined);
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1];
  return {
    hostname: nodeName, cpus: availableParallelism(), memory_bytes: totalmem(),
    memoryAvailable_bytes: available === undefined ? freemem() : Number(available) * 1024,
    disk_bytes: disk === undefined ? 0 : disk.blocks * disk.bsize,
    diskAvailable_bytes: disk === undefined ? 0 : disk.bavail * disk.bsize,
    pidsMax: Number(pidMax) || 32_768,
    pidsUsed: Number(/\/(\d+)/.exec(loadavg)?.[1] ?? 0),
    kernel: release(), osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(release_)?.[1] ?? 'Linux',
    architecture: ARCHITECTURES[arch()] ?? arch(), machineId, bootId,
  };
}

/** The node's own resolver, for pods with dnsPolicy Default. */
export async function hostDns(path = '/etc/resolv.conf'): Promise<DnsConfig> {
  const lines = (await read(path)).split('\n').map((line) => line.trim().split(/\s+/));
  const of = (word: string) => lines.filter(([first]) => first === word).map((line) => line.slice(1));
  return { servers: of('nameserver').flat().slice(0, 3), searches: of('search').at(-1) ?? [], options: of('options').flat() };
}

export function hostName(): string {
  return hostname();
}
