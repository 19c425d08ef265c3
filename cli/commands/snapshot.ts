/** `navarch snapshot save|restore|status`: the whole state in a file, and a new cluster from one. */
import { createHash } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { credentials, Metadata, type ChannelCredentials } from '@grpc/grpc-js';
import type { Command } from 'commander';
import { systemClock } from '../../platform/clock.js';
import { readClusterPki, writeClusterPki } from '../../platform/pki/cluster-pki.js';
import { MaintenanceClient, SnapshotRequest, type SnapshotResponse } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { serverNameOptions } from '../../sdk/grpc/server-name.js';
import { SNAPSHOT_FORMAT_KEY } from '../../services/store/etcd/maintenance.js';
import { restoreSnapshot, snapshotStatus } from '../../services/store/snapshot/file.js';
import { UserError } from '../../platform/user-error.js';
import { defaultDataDir, layout } from '../lib/paths.js';
import { makeFilesPrivate } from '../../services/server/membership/file-modes.js';
import { liveState } from '../up/state-file.js';

const CONNECT_MS = 3_000;

interface SaveFlags {
  readonly endpoint?: string;
  readonly dataDir: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

interface RestoreFlags {
  readonly dataDir: string;
  readonly pkiDir?: string;
  readonly clusterId?: string;
  readonly bumpRevision: string;
}

export function addSnapshotCommands(program: Command): void {
  const snapshot = program.command('snapshot').description("the cluster's state in a file");
  snapshot
    .command('save <file>')
    .description('take one of a running cluster, consistent, with everything acknowledged so far')
    .option(
      '--endpoint <host:port>',
      "gRPC port of a member (default: one of the cluster's that answers, or 127.0.0.1:2379)",
    )
    .option('--data-dir <directory>', 'of the cluster that `up` started: where the certificates are', defaultDataDir())
    .option('--cacert <file>', "the cluster's authority (default: <data-dir>/pki/cluster-ca.crt)")
    .option('--cert <file>', "an administrator's certificate (default: <data-dir>/etcd-client.crt)")
    .option('--key <file>', 'its key (default: <data-dir>/etcd-client.key)')
    .action(save);
  snapshot
    .command('status <file>')
    .description('check a file from end to end and tell what is in it')
    .action(async (file: string) => {
      process.stdout.write(`${JSON.stringify(await snapshotStatus(file), null, 2)}\n`);
    });
  snapshot
    .command('restore <file>')
    .description(
      "begin a new cluster with a file's content, ours or one of `etcdctl snapshot save`: once for each first member, then `navarch server`",
    )
    .requiredOption('--data-dir <directory>', "the new member's own, without any state in it")
    .option(
      '--pki-dir <directory>',
      "the cluster's secrets; they are given the new cluster id (default: <data-dir>/pki)",
    )
    .option('--cluster-id <id>', '16 hexadecimal digits (default: made from the file, so the same for each member)')
    .option('--bump-revision <count>', 'revisions to skip, so that none is given out twice', '1000000000')
    .action(restore);
}

async function save(file: string, flags: SaveFlags): Promise<void> {
  const read = (given: string | undefined, usual: string) => readFile(given ?? join(flags.dataDir, usual));
  const [ca, key, cert] = await Promise.all([
    read(flags.cacert, join('pki', 'cluster-ca.crt')),
    read(flags.key, 'etcd-client.key'),
    read(flags.cert, 'etcd-client.crt'),
  ]);
  const client = await connect(endpointsOf(flags), credentials.createSsl(ca, key, cert));
  const metadata = new Metadata();
  metadata.set(SNAPSHOT_FORMAT_KEY, 'navarch');
  // Under its name only once it is whole and on disk.
  const part = `${file}.part`;
  try {
    const out = await open(part, 'wx', 0o600);
    try {
      for await (const { blob } of client.snapshot(
        SnapshotRequest.fromPartial({}),
        metadata,
      ) as AsyncIterable<SnapshotResponse>)
        await out.write(blob);
      await out.sync();
    } finally {
      await out.close();
    }
    const { revision, records, size_bytes } = await snapshotStatus(part);
    await rename(part, file);
    const directory = await open(dirname(file), 'r');
    await directory.sync().finally(() => directory.close());
    process.stdout.write(`${file}: revision ${revision}, ${records} records, ${size_bytes} bytes\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(part, { force: true });
    throw error;
  } finally {
    client.close();
  }
}

function endpointsOf({ endpoint, dataDir }: SaveFlags): readonly string[] {
  if (endpoint !== undefined) return [endpoint];
  const members = liveState(resolve(dataDir))?.members.map(({ grpc }) => grpc) ?? [];
  return members.length > 0 ? members : ['127.0.0.1:2379'];
}

/** The first that answers. Throws UserError when none does. */
async function connect(endpoints: readonly string[], channel: ChannelCredentials): Promise<MaintenanceClient> {
  const failures: string[] = [];
  for (const endpoint of endpoints) {
    const client = new MaintenanceClient(endpoint, channel, {
      'grpc.max_receive_message_length': -1,
      ...serverNameOptions(endpoint),
    });
    const failure = await new Promise<Error | undefined>((done) =>
      client.waitForReady(systemClock.now() + CONNECT_MS, done),
    );
    if (failure === undefined) return client;
    client.close();
    failures.push(`${endpoint}: ${failure.message}`);
  }
  throw new UserError(`no member answers (${failures.join('; ')}); --endpoint names one`);
}

async function restore(file: string, flags: RestoreFlags): Promise<void> {
  makeFilesPrivate();
  if (!/^\d+$/.test(flags.bumpRevision))
    throw new UserError(`--bump-revision must be a count, not "${flags.bumpRevision}"`, 2);
  if (flags.clusterId !== undefined && !/^[0-9a-f]{16}$/.test(flags.clusterId))
    throw new UserError(`--cluster-id must be 16 hexadecimal digits, not "${flags.clusterId}"`, 2);
  const pkiDir = flags.pkiDir ?? layout(flags.dataDir).pki;
  const pki = await readClusterPki(pkiDir);
  const { digest, revision, oldClusterId } = await restoreSnapshot(file, flags.dataDir, {
    bumpRevision: Number(flags.bumpRevision),
  });
  const clusterId =
    flags.clusterId ?? createHash('sha256').update(`${oldClusterId}/${digest}`).digest('hex').slice(0, 16);
  // Members of the old cluster hold the old id, and are refused from now on.
  if (pki !== undefined && pki.clusterId !== clusterId) await writeClusterPki(pkiDir, { ...pki, clusterId });
  process.stdout.write(`restored at revision ${revision} into ${flags.dataDir}; cluster ${clusterId}\n`);
  if (pki === undefined)
    process.stdout.write(`no cluster secrets in ${pkiDir}: the first start of a single member makes new ones\n`);
}
