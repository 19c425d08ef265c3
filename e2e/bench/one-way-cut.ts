/**
 * Cuts a member off in one direction: what it sends to its peers is dropped, what they send still arrives. Members on
 * one machine are told apart by control groups of their own, which have to be joined before the first socket is made;
 * the dropping is an nftables table of ours, on the loopback, for these groups and ports alone. What a member sends
 * from its own port needs no group: it may have opened that before it was in one. Needs root, nft and cgroup2; else
 * there is no cut.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** With the process that made it: a run that was killed is known by that. */
const TABLE = `navarch_bench_${process.pid}`;
/** nft looks for groups from here on. */
const GROUPS = '/sys/fs/cgroup';

export class OneWayCut {
  readonly #mount: string | undefined = cgroup2();
  readonly #groups: (string | undefined)[] = [];

  /** Right after it was started: the sockets it makes from now on are the group's. */
  claim(member: number, pid: number): void {
    if (this.#mount === undefined) return;
    const group = join(this.#mount, `navarch-bench-${process.pid}-${member}`);
    try {
      mkdirSync(group, { recursive: true });
      writeFileSync(join(group, 'cgroup.procs'), String(pid));
      this.#groups[member] = relative(GROUPS, group);
    } catch {
      this.#groups[member] = undefined;
    }
  }

  /** False when it cannot be had here. */
  begin(member: number, ports: { readonly own: number; readonly peers: readonly number[] }): boolean {
    const group = this.#groups[member];
    if (group === undefined) return false;
    try {
      execFileSync('nft', ['-f', '-'], {
        stdio: ['pipe', 'ignore', 'ignore'],
        input: `table inet ${TABLE} {
  chain sent {
    type filter hook output priority 0; policy accept;
    tcp sport ${ports.own} drop
    socket cgroupv2 level 1 "${group}" tcp dport { ${ports.peers.join(', ')} } drop
  }
}
`,
      });
      return true;
    } catch {
      return false;
    }
  }

  end(): void {
    try {
      execFileSync('nft', ['delete', 'table', 'inet', TABLE], { stdio: 'ignore' });
    } catch {
      // There was none.
    }
  }

  /** Once the members are gone. */
  remove(): void {
    this.end();
    for (const group of this.#groups.splice(0)) {
      if (group === undefined) continue;
      try {
        rmdirSync(join(GROUPS, group));
      } catch {
        // Somebody is still in it: the next boot clears it away.
      }
    }
  }
}

const isOfTheDead = (name: string, pattern: RegExp): boolean => {
  const pid = pattern.exec(name)?.[1];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
};

/**
 * Takes away what runs that were killed have left: tables, which would go on dropping, and groups that nobody is in.
 */
export function removeLeftovers(mount = cgroup2()): void {
  if (mount === undefined) return;
  for (const name of readdirSync(mount).filter((group) => isOfTheDead(group, /^navarch-bench-(\d+)-\d+$/))) {
    try {
      rmdirSync(join(mount, name));
    } catch {
      // A member that outlived its run is still in it.
    }
  }
  try {
    const tables =
      execFileSync('nft', ['list', 'tables', 'inet'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).match(
        /navarch_bench_\d+/g,
      ) ?? [];
    for (const name of tables.filter((table) => isOfTheDead(table, /(\d+)$/)))
      execFileSync('nft', ['delete', 'table', 'inet', name], { stdio: 'ignore' });
  } catch {
    // No nft, no tables; or another run was quicker.
  }
}

function cgroup2(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const line = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .find((mount) => mount.split(' ')[2] === 'cgroup2');
    const at = line?.split(' ')[1];
    return at?.startsWith(GROUPS) === true ? at : undefined;
  } catch {
    return undefined;
  }
}
