/**
 * `navarch front`: what `up` starts beside the members, so that its kubeconfig names an address that none of them takes
 * with it.
 */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { systemClock } from '../../platform/clock.js';
import { createLogger } from '../../platform/log.js';
import { ApiFront } from '../front/api-front.js';
import { splitEndpoint } from '../../platform/pki/join-token.js';
import { runUntilSignal } from '../lib/run.js';

interface FrontFlags {
  readonly listen: string;
  readonly to: string;
  readonly ca: string;
}

export function addFrontCommand(program: Command): void {
  program
    .command('front', { hidden: true })
    .description('pass connections on to a member of the API that is well; `up` starts it')
    .requiredOption('--listen <host:port>', 'where clients come')
    .requiredOption('--to <members>', 'REST listeners of the members: name=host:port,...')
    .requiredOption('--ca <file>', "authority of the members' certificates")
    .action(run);
}

async function run(flags: FrontFlags): Promise<void> {
  const logger = createLogger('navarch').child({ part: 'front' });
  const targets = flags.to.split(',').map((text) => {
    const at = text.indexOf('=');
    return { name: text.slice(0, at), ...splitEndpoint(text.slice(at + 1)) };
  });
  const front = new ApiFront({
    ...splitEndpoint(flags.listen),
    targets,
    ca: await readFile(flags.ca, 'utf8'),
    clock: systemClock,
    logger,
  });
  await runUntilSignal(front, logger);
}
