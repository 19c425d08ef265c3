/** Facts about the machine the agent runs on, from /proc and the operating system. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, freemem, release, totalmem } from 'node:os';
import type { DnsConfig } from '../runtime/runtime.js';

export interface MachineFacts {
  readonly hostname: string;
  readonly cpus: number;
  readonly memory_bytes: number;
  readonly memoryAvailable_bytes: number;
  /** Of the file system that holds the agent's data. */
  readonly disk_bytes: number;
  readonly diskAvailable_bytes: number;
  readonly pidsMax: number;
  readonly pidsUsed: number;
  readonly kernel: string;
  readonly osImage: string;
  /** As Go names it: amd64, arm64. */
  readonly architecture: string;
  readonly machineId: string;
  readonly bootId: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

async function read(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return '';
  }
}

/** What does not change while the machine is up: read once, for however many nodes are in this process. */
let fixedFacts: Promise<Pick<MachineFacts, 'osImage' | 'machineId' | 'bootId' | 'pidsMax'>> | undefined;

async function readFixed(): Promise<Pick<MachineFacts, 'osImage' | 'machineId' | 'bootId' | 'pidsMax'>> {
  const [about, pidMax, machineId, bootId] = await Promise.all([
    read('/etc/os-release'),
    read('/proc/sys/kernel/pid_max'),
    read('/etc/machine-id'),
    read('/proc/sys/kernel/random/boot_id'),
  ]);
  return {
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(about)?.[1] ?? 'Linux',
    pidsMax: Number(pidMax) || 32_768,
    machineId,
    bootId,
  };
}

export async function machineFacts(nodeName: string, dataDir: string | undefined): Promise<MachineFacts> {
  fixedFacts ??= readFixed();
  const [fixed, meminfo, loadavg] = await Promise.all([fixedFacts, read('/proc/meminfo'), read('/proc/loadavg')]);
  const disk = await statfs(dataDir ?? '/').catch(() => undefined);
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1];
  return {
    hostname: nodeName,
    cpus: availableParallelism(),
    memory_bytes: totalmem(),
    memoryAvailable_bytes: available === undefined ? freemem() : Number(available) * 1024,
    disk_bytes: disk === undefined ? 0 : disk.blocks * disk.bsize,
    diskAvailable_bytes: disk === undefined ? 0 : disk.bavail * disk.bsize,
    pidsUsed: Number(/\/(\d+)/.exec(loadavg)?.[1] ?? 0),
    kernel: release(),
    architecture: ARCHITECTURES[arch()] ?? arch(),
    ...fixed,
  };
}

/** The node's own resolver, for pods with dnsPolicy Default. */
export async function hostDns(path = '/etc/resolv.conf'): Promise<DnsConfig> {
  const lines = (await read(path)).split('\n').map((line) => line.trim().split(/\s+/));
  const of = (word: string) => lines.filter(([first]) => first === word).map((line) => line.slice(1));
  return {
    servers: of('nameserver').flat().slice(0, 3),
    searches: of('search').at(-1) ?? [],
    options: of('options').flat(),
  };
}
