/**
 * Every verb of every kubectl there is, against one whole cluster with hollow workers; each case in a namespace of its
 * own.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandResult } from '../../platform/exec.js';
import { startCluster } from '../../testing/index.js';
import type { Cluster } from '../../testing/index.js';
import type { Child } from '../lib/child.js';
import { Kubectl } from '../lib/kubectl.js';
import { until } from '../lib/until.js';
import { CASES } from './kubectl-cases.js';
import type { Step } from './kubectl-cases.js';
import { kubectlVersions } from './versions.js';

const versions = kubectlVersions();
if (versions.length === 0) process.stderr.write('kubectl conformance: skipped, this machine has no kubectl\n');
const EVENTUALLY_MS = 30_000;

let cluster: Cluster | undefined;
let kubeconfig = '';

beforeAll(async () => {
  if (versions.length === 0) return;
  cluster = await startCluster({ nodes: 2, nodeGrace_ms: 60_000 });
  kubeconfig = await cluster.kubeconfig();
});
afterAll(() => cluster?.stop());

/** Undefined when the command did as it should; else what it did instead. */
function complaint(step: Step, result: CommandResult, namespace: string): string | undefined {
  const filled = (pattern: RegExp) =>
    new RegExp(pattern.source.replaceAll(String.raw`\{ns\}`, namespace), pattern.flags);
  const shown = `exit code ${result.code}\nstdout: ${result.stdout.slice(0, 3000)}\nstderr: ${result.stderr.slice(0, 3000)}`;
  if (result.code !== (step.code ?? 0)) return `expected exit code ${step.code ?? 0}; ${shown}`;
  if (step.out !== undefined && !filled(step.out).test(result.stdout)) return `expected stdout ${step.out}; ${shown}`;
  if (step.not !== undefined && filled(step.not).test(result.stdout))
    return `expected stdout without ${step.not}; ${shown}`;
  if (step.err !== undefined && !filled(step.err).test(result.stderr)) return `expected stderr ${step.err}; ${shown}`;
  return undefined;
}

async function finished(child: Child, stdin = ''): Promise<CommandResult> {
  child.write(stdin);
  child.closeInput();
  return { code: await child.ended(), stdout: child.stdout, stderr: child.stderr };
}

async function run(kubectl: Kubectl, step: Step, namespace: string): Promise<void> {
  const words = (typeof step.run === 'string' ? step.run.split(' ') : step.run).map((word) =>
    word.replaceAll('{ns}', namespace),
  );
  const attempt = async () =>
    complaint(step, await finished(kubectl.start(words, step.env), step.stdin?.replaceAll('NS', namespace)), namespace);
  let said = await attempt();
  if (said !== undefined && step.eventually === true) {
    await until(words.join(' '), async () => (said = await attempt()) === undefined, {
      timeout_ms: EVENTUALLY_MS,
      interval_ms: 300,
      show: async () => said ?? '',
    });
  }
  if (said !== undefined) expect.fail(`kubectl ${words.join(' ')}: ${said}`);
}

describe.skipIf(versions.length === 0).each(versions)('kubectl 1.$minor', ({ minor, path }) => {
  it.concurrent.each(CASES.map((one, index) => ({ ...one, index })))('$name', async ({ steps, index }) => {
    const namespace = `v${minor}-${index}`;
    const kubectl = new Kubectl(path, kubeconfig, ['--namespace', namespace]);
    try {
      await kubectl.ok(['create', 'namespace', namespace]);
      for (const step of steps) {
        if (minor >= (step.since ?? 0)) await run(kubectl, step, namespace);
      }
      await kubectl.ok(['delete', 'namespace', namespace, '--wait=false']);
    } finally {
      await kubectl.close();
    }
  });
});
