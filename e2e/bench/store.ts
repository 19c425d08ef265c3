/**
 * `make bench-store`: three members of ours and three of etcd-server, in turn, round after round, under the same load;
 * a table of medians and ratios. Both sync every write, both speak TLS with client certificates, both run alone while
 * they are measured. Ours are whole members, with API server, scheduler and controllers, as `navarch server` starts
 * them. The generator is our own (h2load cannot show a client certificate), and its processor time is told beside the
 * members'.
 *
 * QUICK=1: one short round. ROUNDS, SECONDS, WARMUP (of each load, before it is measured), KILLS (of the leader, a
 * round), MEMORY_PUTS, SATURATE (seconds of it): how much. PERF=0: without `etcdctl check perf`.
 * ONLY=navarch|etcd: one candidate. LOADS=text,...: only loads whose name holds one of them. JSON=file: the raw
 * numbers. PROFILE=folder: processor profiles of our members. NODE_ARGS: options for their node.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemExecutor } from '../../platform/exec.js';
import { setup } from '../../testing/run-folder.js';
import { Cluster, hasEtcd, makeSecrets, type Candidate, type Secrets } from './clusters.js';
import { echoRate, fsyncRate } from './limits.js';
import { load, loseLeader, watchLoad, type LoadOptions, type Loss } from './load.js';
import type { LoadResult } from './loop.js';
import { removeLeftovers } from './one-way-cut.js';
import { shapeLoad, type Shape } from './shapes.js';
import { streamLoad } from './stream-load.js';
import { addSample, renderTable, type Aim, type Samples } from './table.js';

const quick = process.env['QUICK'] !== undefined && process.env['QUICK'] !== '0';
const number = (name: string, usual: number, short: number) => Number(process.env[name] ?? (quick ? short : usual));
const settings = {
  rounds: number('ROUNDS', 3, 1),
  seconds: number('SECONDS', 4, 1.5),
  warmup_s: number('WARMUP', 6, 2),
  kills: number('KILLS', 17, 1),
  saturate_s: number('SATURATE', 600, 0),
  memoryPuts: number('MEMORY_PUTS', 1_000_000, 10_000),
  perf: number('PERF', 1, 0) !== 0,
  watchers: number('WATCHERS', 1000, 1000),
};

/** Of each round, so many kills are followed by a loss of each other kind. */
const OTHER_LOSSES = 3;
const LOSSES: readonly (readonly [Loss, string])[] = [
  ['kill', 'kill'],
  ['pause', 'SIGSTOP of the leader: ms'],
  ['cut', 'one-way cut of the leader: ms'],
];

interface Load {
  readonly name: string;
  readonly run: (cluster: Cluster, seconds: number) => Promise<LoadResult>;
  /** Ratio of ours to theirs that is aimed at. */
  readonly aim: number;
}

const calls = (name: string, options: Omit<LoadOptions, 'seconds'>, aim = 1): Load => ({
  name,
  aim,
  run: (cluster, seconds) => load(cluster, { ...options, seconds }),
});
/** A connection for each client. */
const shape = (name: string, one: Shape, clients: number): Load => ({
  name,
  aim: 0.8,
  run: (cluster, seconds) => shapeLoad(cluster, one, { clients, connections: clients, seconds }),
});

const ALL_LOADS: readonly Load[] = [
  calls('puts, 1 client', { operation: 'put', clients: 1 }),
  calls('puts, 64 clients', { operation: 'put', clients: 64 }, 1.25),
  calls('puts, 500 clients', { operation: 'put', clients: 500 }, 1.25),
  calls('ranges linearizable, 64', { operation: 'range', clients: 64 }),
  calls('ranges serializable, 64', { operation: 'serializable', clients: 64 }),
  calls('transactions, 64', { operation: 'txn', clients: 64 }),
  calls('puts, 64 connections', { operation: 'put', clients: 64, connections: 64 }, 0.8),
  calls('ranges serializable, 64 connections', { operation: 'serializable', clients: 64, connections: 64 }, 0.8),
  calls('transactions of 4 puts, 64 connections', { operation: 'txn4', clients: 64, connections: 64 }, 0.8),
  calls('mixed transactions, 64 connections', { operation: 'mixed', clients: 64, connections: 64 }, 0.8),
  shape('STM, 64 connections', 'stm', 64),
  shape('keep-alives, 64 streams', 'keep-alive', 64),
  shape('keep-alives, a stream each, 64', 'keep-alive-once', 64),
  shape('watches made, 64 streams', 'watch-create', 64),
];
const LOADS = ALL_LOADS.filter(({ name }) =>
  (process.env['LOADS'] ?? '').split(',').some((part) => name.includes(part)),
);

const SATURATION = 'elections in minutes of saturation';

const AIMS: readonly Aim[] = [
  ...LOADS.flatMap(({ name, aim }): Aim[] => [
    { name: `${name}: /s`, better: 'more', aim },
    { name: `${name}: p50 ms`, better: 'less', aim: 1 },
    { name: `${name}: p99 ms`, better: 'less', aim: 1 },
    { name: `${name}: members' CPU us`, better: 'less', aim: 1 },
  ]),
  { name: 'puts by a pipelined stream: /s', better: 'more', aim: 4 },
  { name: "puts by a pipelined stream: members' CPU us", better: 'less', aim: 1 },
  { name: 'watch: events/s delivered', better: 'more', aim: 1 },
  { name: 'watch: p99 delay ms', better: 'less', aim: 1 },
  { name: "watch: members' CPU us an event", better: 'less', aim: 1 },
  { name: 'kill -9 of the leader: p50 ms', better: 'less', aim: 0.2 },
  { name: 'kill -9 of the leader: worst ms', better: 'less', aim: 0.2 },
  { name: 'SIGSTOP of the leader: ms', better: 'less', aim: 0.8 },
  { name: 'one-way cut of the leader: ms', better: 'less', aim: 0.8 },
  { name: 'resident MB after the puts', better: 'less', aim: 0.5 },
  { name: 'of it anonymous MB', better: 'less', aim: 0.5 },
  { name: 'restart after the puts: s', better: 'less', aim: 1 },
  { name: 'etcdctl check perf: writes/s', better: 'more', aim: 1.25 },
  { name: 'elections under load', better: 'less', aim: 1 },
  { name: SATURATION, better: 'less', aim: 1 },
  { name: 'failed calls', better: 'less', aim: 1 },
];

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function addLoad(samples: Samples, name: string, result: LoadResult): void {
  addSample(samples, `${name}: /s`, result.operations / result.seconds);
  addSample(samples, `${name}: p50 ms`, result.p50_ms);
  addSample(samples, `${name}: p99 ms`, result.p99_ms);
  addSample(samples, `${name}: members' CPU us`, result.cpu_us / Math.max(result.operations, 1));
  addSample(samples, `${name}: generator's CPU us`, result.generatorCpu_us / Math.max(result.operations, 1));
  addSample(samples, 'elections under load', result.elections);
  addSample(samples, 'failed calls', result.failures);
}

async function round(candidate: Candidate, secrets: Secrets, directory: string, samples: Samples): Promise<void> {
  const cluster = await Cluster.start(candidate, secrets, directory);
  try {
    // A member is measured as it is after a minute of its life, not while a just-in-time compiler shares the processors
    // with it.
    await load(cluster, { operation: 'put', clients: 64, seconds: settings.warmup_s * 2 });
    for (const { name, run } of LOADS) {
      await run(cluster, settings.warmup_s);
      const result = await run(cluster, settings.seconds);
      addLoad(samples, name, result);
      say(
        `  ${candidate}: ${name}: ${Math.round(result.operations / result.seconds)}/s, CPU ${Math.round(result.cpu_us / result.operations)} us`,
      );
    }
    const watch = settings.watchers === 0 ? undefined : await watchLoad(cluster, settings.watchers, settings.seconds);
    if (watch !== undefined) {
      addSample(samples, 'watch: events/s delivered', watch.events / watch.seconds);
      addSample(samples, 'watch: p99 delay ms', watch.p99_ms);
      addSample(samples, "watch: members' CPU us an event", watch.cpu_us / watch.events);
      say(
        `  ${candidate}: ${settings.watchers} watchers: ${Math.round(watch.events / watch.seconds)} events/s, CPU ${(watch.cpu_us / watch.events).toFixed(1)} us`,
      );
    }
    await streamed(cluster, samples);
    for (let i = 0; i < settings.kills; i++) {
      for (const [how, name] of LOSSES) {
        if (how !== 'kill' && i >= OTHER_LOSSES) continue;
        const gap_ms = await loseLeader(cluster, how);
        if (gap_ms !== undefined) addSample(samples, name, gap_ms);
      }
    }
  } finally {
    await cluster.stop();
  }
}

const STREAM = 'puts by a pipelined stream';

/** etcd has no such stream: what it takes from 500 clients at once is what it is compared with. */
async function streamed(cluster: Cluster, samples: Samples): Promise<void> {
  if (!(process.env['LOADS'] ?? '').split(',').some((part) => STREAM.includes(part))) return;
  const { candidate } = cluster;
  const run = (length_s: number) =>
    candidate === 'navarch'
      ? streamLoad(cluster, length_s)
      : load(cluster, { operation: 'put', clients: 500, seconds: length_s });
  await run(settings.warmup_s);
  const { operations, failures, seconds, cpu_us } = await run(settings.seconds);
  addSample(samples, `${STREAM}: /s`, operations / seconds);
  addSample(samples, `${STREAM}: members' CPU us`, cpu_us / operations);
  addSample(samples, 'failed calls', failures);
  say(`  ${candidate}: ${STREAM}: ${Math.round(operations / seconds)}/s, CPU ${Math.round(cpu_us / operations)} us`);
}

async function memory(candidate: Candidate, secrets: Secrets, directory: string, samples: Samples): Promise<void> {
  const cluster = await Cluster.start(candidate, secrets, directory);
  try {
    const result = await load(cluster, { operation: 'put', clients: 200, seconds: 3600, count: settings.memoryPuts });
    say(`  ${candidate}: ${result.operations} puts in ${result.seconds.toFixed(1)} s`);
    const all = cluster.running.map((member) => member.memory());
    const mean = (of: (one: (typeof all)[number]) => number) =>
      all.reduce((sum, one) => sum + of(one), 0) / all.length / 2 ** 20;
    addSample(
      samples,
      'resident MB after the puts',
      mean(({ resident_bytes }) => resident_bytes),
    );
    addSample(
      samples,
      'of it anonymous MB',
      mean(({ anonymous_bytes }) => anonymous_bytes),
    );
    await cluster.kill(0);
    const start_ms = performance.now();
    await cluster.restart(0);
    addSample(samples, 'restart after the puts: s', (performance.now() - start_ms) / 1000);
    if (settings.perf) await checkPerf(cluster, samples);
    if (settings.saturate_s > 0) await saturate(cluster, samples);
  } finally {
    await cluster.stop();
  }
}

/** As much as it takes, for minutes: whoever leads must go on doing so. */
async function saturate(cluster: Cluster, samples: Samples): Promise<void> {
  const { operations, failures, seconds, elections } = await load(cluster, {
    operation: 'put',
    clients: 500,
    seconds: settings.saturate_s,
  });
  addSample(samples, SATURATION, elections);
  addSample(samples, 'failed calls', failures);
  say(
    `  ${cluster.candidate}: saturated for ${Math.round(seconds)} s: ${Math.round(operations / seconds)} puts/s, ${elections} elections, ${failures} failed`,
  );
}

/** A minute of etcd's own measure. */
async function checkPerf(cluster: Cluster, samples: Samples): Promise<void> {
  const { ca, cert, key } = cluster.secrets.files;
  const result = await systemExecutor.run(
    'etcdctl',
    [
      '--endpoints',
      cluster.endpoints.join(','),
      '--cacert',
      ca,
      '--cert',
      cert,
      '--key',
      key,
      'check',
      'perf',
      '--load',
      'l',
    ],
    { timeout_ms: 180_000 },
  );
  const rate = /(?:Throughput is|Throughput too low:|Throughput)[^\d]*(\d+(?:\.\d+)?)/.exec(result.stdout)?.[1];
  say(
    `  ${cluster.candidate}: check perf: ${result.stdout
      .replace(/[^\n]*\r/g, '')
      .trim()
      .split('\n')
      .slice(-4)
      .join('; ')}`,
  );
  if (rate !== undefined) addSample(samples, 'etcdctl check perf: writes/s', Number(rate));
}

async function main(): Promise<void> {
  removeLeftovers();
  if (!hasEtcd()) say('bench-store: no etcd (Debian package etcd-server): only our own numbers follow');
  const tidy = await setup();
  const root = mkdtempSync(join(tmpdir(), 'navarch-bench-'));
  const secrets = await makeSecrets(join(root, 'pki'));
  const only = process.env['ONLY'];
  const candidates = (['navarch', ...(hasEtcd() ? ['etcd' as const] : [])] as Candidate[]).filter(
    (one) => only === undefined || only === one,
  );
  const samples: Record<Candidate, Samples> = { navarch: new Map(), etcd: new Map() };
  try {
    const fsyncs = await fsyncRate(root, 1);
    const echo = await echoRate(secrets, root, quick ? 1 : 3);
    for (let i = 0; i < settings.rounds; i++) {
      say(`round ${i + 1} of ${settings.rounds}`);
      // Whoever goes second finds a warmer machine: they take turns.
      for (const candidate of i % 2 === 0 ? candidates : candidates.toReversed())
        await round(candidate, secrets, join(root, `${candidate}-${i}`), samples[candidate]);
    }
    if (settings.memoryPuts > 0)
      for (const candidate of candidates)
        await memory(candidate, secrets, join(root, `${candidate}-memory`), samples[candidate]);
    for (const candidate of candidates) {
      const kills = (samples[candidate].get('kill') ?? []).toSorted((a, b) => a - b);
      if (kills.length === 0) continue;
      addSample(samples[candidate], 'kill -9 of the leader: p50 ms', kills[Math.floor(kills.length / 2)] ?? NaN);
      addSample(samples[candidate], 'kill -9 of the leader: worst ms', kills.at(-1) ?? NaN);
    }
    process.stdout.write(`${renderTable(AIMS, samples.navarch, samples.etcd)}
limits of this machine: ${availableParallelism()} cores; ${Math.round(fsyncs)} fdatasyncs/s of 4 KiB; @grpc/grpc-js echo with TLS ${Math.round(echo.rate)} calls/s, ${Math.round(echo.cpu_us)} us of CPU a call, in one process
${settings.rounds} rounds of ${settings.seconds} s; ${settings.memoryPuts} puts before memory was read; medians; the generator shares the cores\n`);
    const file = process.env['JSON'];
    if (file !== undefined)
      writeFileSync(
        file,
        JSON.stringify(
          {
            settings,
            fsyncs,
            echo,
            navarch: Object.fromEntries(samples.navarch),
            etcd: Object.fromEntries(samples.etcd),
          },
          null,
          2,
        ),
      );
  } finally {
    await rm(root, { recursive: true, force: true });
    tidy?.();
  }
}

await main();
