/**
 * CONTRIBUTING, "Tests": one conformance suite per interface. Here no container runs a process: the clock is virtual.
 */
import { VirtualClock } from '../../../platform/clock.js';
import { runtimeConformance } from './conformance/index.js';
import type { RuntimeTarget } from './conformance/index.js';
import { FakeRuntime } from './fake.js';
import { behaviourOf } from './hollow-behaviour.js';
import { runHollowCommand } from './hollow-commands.js';
import { HollowRuntime } from './hollow.js';
import type { ContainerSpec, ExecResult, Runtime } from './runtime.js';

const IMAGES = {
  image: 'example.test/web:1',
  spareImage: 'example.test/spare:1',
  missingImage: 'example.test/missing/web:1',
};

/** The containers live in this process: a new agent finds them in the same runtime. */
function targetOf(runtime: Runtime, clock: VirtualClock): RuntimeTarget {
  return {
    ...IMAGES,
    runtime,
    logRoot: '/logs',
    reportsChanges: true,
    elapse: (duration_ms) => clock.advance(duration_ms),
    reopen: () => Promise.resolve(runtime),
    close: () => runtime.close(),
  };
}

runtimeConformance('hollow', async () => {
  const clock = new VirtualClock();
  const runtime = new HollowRuntime({ clock });
  for (const image of [IMAGES.image, IMAGES.spareImage]) await runtime.pullImage(image);
  return targetOf(runtime, clock);
});

/** A fake does what its test has it do: here, what the command would do. */
function play(runtime: FakeRuntime, clock: VirtualClock): void {
  const shell = (spec: ContainerSpec | undefined) => ({ hostname: 'pod', env: spec?.env ?? [] });
  const specs = new Map<string, ContainerSpec>();
  runtime.onStart = (id, spec) => {
    specs.set(id, spec);
    const { output, exitAfter_ms, exitCode } = behaviourOf(spec, 'pod', { annotations: {}, rules: [] });
    if (output !== '') runtime.write(id, output);
    if (exitAfter_ms !== Infinity) clock.after(exitAfter_ms, () => runtime.exit(id, exitCode));
  };
  runtime.onExec = async (id, command): Promise<ExecResult> => {
    const { known, output, code, duration_ms = 0 } = runHollowCommand(command, shell(specs.get(id)));
    if (duration_ms > 0) await clock.sleep(duration_ms);
    return { exitCode: code, stdout: Buffer.from(known ? output : ''), stderr: Buffer.from(known ? '' : output) };
  };
}

runtimeConformance('fake', () => {
  const clock = new VirtualClock();
  const runtime = new FakeRuntime(clock);
  for (const image of [IMAGES.image, IMAGES.spareImage]) runtime.images.add(image);
  play(runtime, clock);
  return Promise.resolve(targetOf(runtime, clock));
});
