/** Starts the prober of a flood, and hears what it found. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CLI } from '../lib/up-cluster.js';
import type { Measured, MemberMeasure } from './flood-measures.js';

const PROBER = join(dirname(CLI), '..', 'e2e', 'chaos', 'flood-prober.js');

export interface Probe {
  stop(): Promise<readonly MemberMeasure[]>;
}

/** `settle_ms`: what members get to give memory back before it is looked at for the last time. */
export function startProbe(members: readonly Measured[], settle_ms: number): Probe {
  const child = spawn(process.execPath, [PROBER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const output = text(child.stdout);
  child.stdin.write(`${JSON.stringify({ members, settle_ms })}\n`);
  return {
    async stop() {
      child.stdin.end();
      return JSON.parse(await output) as readonly MemberMeasure[];
    },
  };
}
