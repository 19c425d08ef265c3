/** `navarch cluster recover`: the way back when a majority of the members is gone for good. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { holdProcess, systemClock } from '../../platform/clock.js';
import { systemRandom } from '../../platform/random.js';
import type { Recovered } from '../../services/server/membership/recover.js';
import { makeFilesPrivate } from '../../services/server/membership/file-modes.js';

interface RecoverFlags {
  readonly dataDir: string;
  readonly pkiDir?: string;
  readonly compare?: readonly string[];
  readonly dryRun?: boolean;
}

export function addClusterCommands(program: Command): void {
  const cluster = program.command('cluster').description('the cluster as a whole');
  cluster
    .command('recover')
    .description('make a new cluster of one from the newest survivor, when a majority of the members is gone for good')
    .requiredOption('--data-dir <directory>', 'of the survivor, which must be stopped')
    .option('--compare <directory...>', 'data directories of other survivors: refused when one of them is newer')
    .option('--pki-dir <directory>', "the cluster's secrets (default: where the member had them)")
    .option('--dry-run', 'only say what this survivor holds')
    .addHelpText(
      'after',
      `
Everything this survivor's log holds is kept; what the others acknowledged after its last entry is lost. The new cluster has
a new id: the old members are shut out, and join it anew (\`navarch member repair\` on each; docs/members.md).`,
    )
    .action((flags: RecoverFlags) => recover(flags));
}

async function recover(flags: RecoverFlags): Promise<void> {
  makeFilesPrivate();
  const hold = holdProcess();
  try {
    // Only here: no other command needs what a store is made of.
    const { recoverCluster } = await import('../../services/server/membership/recover.js');
    const found = await recoverCluster({
      dataDir: resolve(flags.dataDir),
      compare: flags.compare ?? [],
      ...(flags.pkiDir === undefined ? {} : { pkiDir: flags.pkiDir }),
      dryRun: flags.dryRun === true,
      clock: systemClock,
      random: systemRandom,
    });
    process.stdout.write(report(found));
  } finally {
    hold.cancel();
  }
}

function report({ survivor, founded }: Recovered): string {
  const uncertain = survivor.lastIndex - survivor.commitIndex;
  const lines = [
    `This survivor holds the log up to entry ${survivor.lastIndex} of term ${survivor.term}, revision ${survivor.revision}.`,
    `  kept: everything up to there${uncertain === 0 ? '' : `, also the last ${uncertain} entries, of which it is not known whether they had been acknowledged`}`,
    ...(survivor.lost === undefined ? [] : [`  lost: the end of its own log; ${survivor.lost}`]),
    '  lost: what a majority without this member acknowledged later. Compare term and entry of all survivors (--dry-run), and take the highest.',
  ];
  if (founded === undefined) return [...lines, 'Nothing was changed (--dry-run).', ''].join('\n');
  return [
    ...lines,
    `The new cluster is ${founded.clusterId}; members of the old one, ${founded.formerClusterId}, are refused.`,
    `Its revision begins at ${founded.revision}; older ones count as compacted, so that every watcher lists anew.`,
    `The old log and state were kept in ${founded.aside}.`,
    'Next: start this member as before; then, on each other host, `navarch member repair --endpoints <this member>` and start it.',
    '',
  ].join('\n');
}
