/** `navarch pki init`, `navarch kubeconfig`: what is made from a cluster's secrets. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../platform/clock.js';
import { createClusterPki, readClusterPki, writeClusterPki, type ClusterPki } from '../../platform/pki/cluster-pki.js';
import { systemRandom } from '../../platform/random.js';
import { UserError } from '../../platform/user-error.js';
import { kubeconfigText } from '../lib/kubeconfig.js';
import { defaultDataDir, layout } from '../lib/paths.js';
import { issueAdminCertificate } from '../../services/server/certificates.js';

const context = { clock: systemClock, random: systemRandom };

/** The secrets of the cluster that `up` or `server` keeps below the data directory. */
export async function requirePki(directory: string): Promise<ClusterPki> {
  const pki = await readClusterPki(directory);
  if (pki === undefined)
    throw new UserError(
      `${directory} holds no cluster secrets; start a cluster with \`navarch up\`, or name the folder with --pki-dir`,
    );
  return pki;
}

interface PkiFlags {
  readonly dataDir: string;
  readonly pkiDir?: string;
}

const directoryOf = (flags: PkiFlags) => flags.pkiDir ?? layout(flags.dataDir).pki;

export function addPkiCommands(program: Command): void {
  const pki = program.command('pki').description('the secrets that make a cluster');
  pki
    .command('init')
    .description('make the secrets of a new cluster in a folder: copy it to each member')
    .requiredOption('--pki-dir <directory>', 'where to put them')
    .action(async ({ pkiDir }: { pkiDir: string }) => {
      if ((await readClusterPki(pkiDir)) !== undefined)
        throw new UserError(`${pkiDir} holds the secrets of a cluster already; they are left as they are`);
      const made = await createClusterPki(context);
      await writeClusterPki(pkiDir, made);
      process.stdout.write(`cluster ${made.clusterId}: secrets in ${pkiDir}\n`);
    });

  program
    .command('kubeconfig')
    .description("print the administrator's kubeconfig of the cluster that `up` started")
    .option('--data-dir <directory>', 'of the cluster that `up` started', defaultDataDir())
    .option('--pki-dir <directory>', "make a new one from the cluster's secrets; needs --server")
    .option('--server <url>', 'https://host:port of a member')
    .addHelpText(
      'after',
      `
  navarch kubeconfig > ~/.kube/config && kubectl get nodes
  KUBECONFIG=<(navarch kubeconfig) kubectl get nodes`,
    )
    .action(async (flags: PkiFlags & { readonly server?: string }) => {
      process.stdout.write(await kubeconfigOf(flags));
    });
}

async function kubeconfigOf(flags: PkiFlags & { readonly server?: string }): Promise<string> {
  if (flags.server === undefined && flags.pkiDir === undefined) {
    const path = layout(flags.dataDir).kubeconfig;
    return readFile(path, 'utf8').catch(() => {
      throw new UserError(
        `${path} is not there: no cluster was started with this --data-dir; run \`navarch up\` first`,
      );
    });
  }
  if (flags.server === undefined) throw new UserError('--pki-dir needs --server, the https://host:port of a member', 2);
  const pki = await requirePki(directoryOf(flags));
  return kubeconfigText({
    server: flags.server,
    clusterAuthority: pki.clusterAuthority.certificate,
    user: 'kubernetes-admin',
    credential: await issueAdminCertificate(pki, context),
  });
}

/** The files next to the kubeconfig that clients of the etcd API need. */
export const etcdClientBase = (dataDir: string) => join(dataDir, 'etcd-client');
