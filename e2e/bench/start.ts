/**
 * `make bench-start`: what a newcomer waits for, and what it costs. Prints one table: medians of several runs, the runs
 * beside them, and the aims. Everything is measured from outside, through the same doors that users have; each run has
 * a fresh data directory.
 *
 * What this machine cannot do is left out of the table, with a line that says so. `RUNS=5` changes how often.
 */
import { readFileSync } from 'node:fs';
import { pods } from '../../apimachinery/gen/resources.js';
import { holdProcess, systemClock } from '../../platform/clock.js';
import { startCluster } from '../../testing/index.js';
import { setup } from '../../testing/run-folder.js';
import { findKubectl, Kubectl } from '../lib/kubectl.js';
import { missing } from '../lib/requirements.js';
import { sleep, until } from '../lib/until.js';
import { UpCluster } from '../lib/up-cluster.js';
import { sdkWriter } from '../lib/writers.js';

const RUNS = Number(process.env['RUNS'] ?? 3);
const KILLS_PER_RUN = 3;
/** A member or agent that nobody asks anything for so long counts as idle. */
const IDLE_MS = 10_000;

interface Measurement {
  readonly what: string;
  readonly unit: 'ms' | 'MB';
  readonly aim: number;
  readonly values: number[];
}

const rows: Measurement[] = [];

function row(what: string, unit: 'ms' | 'MB', aim: number): Measurement {
  const found = rows.find((one) => one.what === what);
  if (found !== undefined) return found;
  const made = { what, unit, aim, values: [] };
  rows.push(made);
  return made;
}

async function timed(measurement: Measurement, work: () => Promise<unknown>): Promise<void> {
  const begun_ms = systemClock.monotonic();
  await work();
  measurement.values.push(systemClock.monotonic() - begun_ms);
}

async function inProcess(): Promise<void> {
  const started = row('startCluster({members: 3, nodes: 2}) to both nodes Ready', 'ms', 1000);
  const begun_ms = systemClock.monotonic();
  const cluster = await startCluster({ members: 3, nodes: 2 });
  started.values.push(systemClock.monotonic() - begun_ms);
  await cluster.stop();
}

/** VmRSS of a process, in MB of 10^6 bytes. */
function resident_MB(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kilobytes ?? Number.NaN) * 1024) / 1e6;
}

function measureMemory(cluster: UpCluster, kind: string): void {
  for (const [prefix, what, aim] of [
    ['m', `resident memory of an idle member, ${kind}`, 150],
    ['w', `resident memory of an idle agent, ${kind}`, 90],
  ] as const) {
    for (const { name, id } of cluster.state().processes) {
      if (id !== undefined && new RegExp(`^${prefix}\\d+$`).test(name))
        row(what, 'MB', aim).values.push(resident_MB(id.pid));
    }
  }
}

async function podToRunning(cluster: UpCluster, kubectl: Kubectl, image: string): Promise<void> {
  const measurement = row('kubectl apply of one pod with a local image, to Running', 'ms', 1000);
  const client = await cluster.client();
  try {
    for (let i = 0; i <= RUNS; i++) {
      const name = `bench-${i}`;
      const manifest = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default' },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image, command: ['/bin/sleep', '3600'] }] },
      };
      const begun_ms = systemClock.monotonic();
      const running = (async () => {
        for await (const { object } of client.watch(pods, {
          namespace: 'default',
          fieldSelector: `metadata.name=${name}`,
          signal: AbortSignal.timeout(30_000),
        })) {
          if (object.status?.phase === 'Running') return systemClock.monotonic();
        }
        throw new Error(`${name} did not run`);
      })();
      await kubectl.ok(['apply', '-f', '-'], { stdin: JSON.stringify(manifest) });
      const took_ms = (await running) - begun_ms;
      // The first one unpacks the image on its node: that is the import's cost, not the start's.
      if (i > 0) measurement.values.push(took_ms);
      await kubectl.ok(['delete', 'pod', name, '--now', '--wait=true']);
    }
  } finally {
    await client.close();
  }
}

async function failover(cluster: UpCluster): Promise<void> {
  const measurement = row('kill -9 of the leader, to the next acknowledged write', 'ms', 500);
  const client = await cluster.client();
  const writer = sdkWriter(client, { namespace: 'default', prefix: `bench-${cluster.state().supervisor.pid}` });
  try {
    for (let kill = 0; kill < KILLS_PER_RUN; kill++) {
      await writer.progress(50);
      const leader = await cluster.leader();
      const killed_ms = systemClock.monotonic();
      const pid = await cluster.kill(leader);
      await writer.progress(50);
      measurement.values.push(writer.longestGap(killed_ms));
      await cluster.returned(leader, pid);
      await until(
        'three members',
        async () =>
          (
            await cluster
              .etcd()
              .status()
              .catch(() => [])
          ).length === 3,
      );
      await sleep(1000);
    }
  } finally {
    await writer.stop();
    await client.close();
  }
}

async function upOnLoopback(): Promise<void> {
  let cluster: UpCluster | undefined;
  await timed(row('navarch up on loopback, to both nodes Ready', 'ms', 5000), async () => {
    cluster = await UpCluster.start({ name: 'bench', loopback: true });
  });
  if (cluster === undefined) return;
  try {
    await sleep(IDLE_MS);
    measureMemory(cluster, 'hollow');
    await failover(cluster);
  } finally {
    await cluster.stop();
  }
}

async function upOnHosts(kubectlPath: string): Promise<void> {
  let cluster: UpCluster | undefined;
  await timed(row('navarch up with containerd, to both nodes Ready', 'ms', 10_000), async () => {
    cluster = await UpCluster.start({ name: 'bench' });
  });
  if (cluster === undefined) return;
  const kubectl = new Kubectl(kubectlPath, cluster.kubeconfig);
  try {
    await sleep(IDLE_MS);
    measureMemory(cluster, 'containerd');
    await podToRunning(cluster, kubectl, 'navarch.example/web:1');
  } finally {
    await kubectl.close();
    await cluster.stop();
  }
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
const shown = (value: number, unit: string) =>
  unit === 'ms' && value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(0)} ${unit}`;

function print(): void {
  const lines = rows.map(({ what, unit, aim, values }) => {
    const middle = median(values);
    return `| ${what} | ${shown(middle, unit)} | ${shown(aim, unit)} | ${middle <= aim ? 'yes' : 'no'} | ${values.map((value) => shown(value, unit)).join(', ')} |`;
  });
  process.stdout.write(`\n| what | median | aim | met | each |\n|---|---|---|---|---|\n${lines.join('\n')}\n`);
}

// The clock's timers let a process end that waits for nothing else.
holdProcess();
const tidy = await setup();
const noKubectl = missing('pod start', ['kubectl']);
const noEtcdctl = missing('failover on loopback', ['etcdctl']);
const noContainers = missing('navarch up with containerd', ['containers']);
const kubectlPath = findKubectl();
for (let run = 1; run <= RUNS; run++) {
  process.stderr.write(`run ${run} of ${RUNS}\n`);
  await inProcess();
  if (noEtcdctl.length === 0) await upOnLoopback();
  if (noContainers.length === 0 && noKubectl.length === 0 && kubectlPath !== undefined) await upOnHosts(kubectlPath);
}
print();
tidy?.();
process.exit(0);
