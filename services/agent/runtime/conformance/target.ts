/** TEST SUPPORT: what the conformance suite needs of a runtime under test, and the pods that it makes there. */
import { isApiError } from '../../../../apimachinery/status.js';
import type { PodStream, PodStreamInput } from '../../../../apimachinery/pod-streams.js';
import { LABELS } from '../../pod/container-spec.js';
import type {
  ContainerRecord,
  ContainerSpec,
  ExecRequest,
  LogRequest,
  Runtime,
  SandboxRecord,
  SandboxSpec,
} from '../runtime.js';

export interface RuntimeTarget {
  readonly runtime: Runtime;
  /** Present. It has the commands sleep, echo, false, true, cat, sh, and nc to answer on a port. */
  readonly image: string;
  /** Present too, used by no container: the suite removes it. */
  readonly spareImage: string;
  /** Cannot be pulled. */
  readonly missingImage: string;
  /** Absolute path of a folder for logs. */
  readonly logRoot: string;
  /** Whether `onChange` reports changes. */
  readonly reportsChanges: boolean;
  /** Lets so much time go by: real, or of the runtime's virtual clock. */
  readonly elapse: (duration_ms: number) => Promise<void>;
  /** The runtime that the agent has after its restart; it holds the same containers. */
  readonly reopen: () => Promise<Runtime>;
  readonly close: () => Promise<void>;
}

export const UNKNOWN_ID = 'f'.repeat(64);
export const PORT = 8080;
const LOOKS_MAX = 300;
const LOOK_MS = 50;
const never = new AbortController().signal;
let podCount = 0;

export function sandboxSpec(name: string, logRoot: string): SandboxSpec {
  const uid = `${name}-${process.pid}-${++podCount}`;
  return {
    namespace: 'conformance',
    name,
    uid,
    attempt: 0,
    hostname: name,
    logDirectory: `${logRoot}/${uid}`,
    dns: { servers: [], searches: [], options: [] },
    ports: [],
    labels: { app: 'suite', [LABELS.name]: name, [LABELS.namespace]: 'conformance', [LABELS.uid]: uid },
    annotations: { 'example.test/note': 'of the sandbox' },
    hostNetwork: false,
    hostPID: false,
    hostIPC: false,
    sharePID: false,
    privileged: false,
    supplementalGroups: [],
    sysctls: {},
    cgroupParent: '',
  };
}

export type ContainerWish = Partial<Pick<ContainerSpec, 'name' | 'attempt' | 'lifetime' | 'stdin' | 'image'>>;

export interface ContainerOf {
  /** Of the pod. */
  readonly uid: string;
  readonly image: string;
  readonly command: readonly string[];
}

export function containerSpec({ uid, image, command }: ContainerOf, wish: ContainerWish = {}): ContainerSpec {
  const { name = 'main', attempt = 0 } = wish;
  return {
    name,
    attempt,
    image,
    command,
    args: [],
    workingDir: '/',
    env: [{ name: 'GREETING', value: 'hello' }],
    mounts: [],
    labels: { [LABELS.uid]: uid, [LABELS.container]: name },
    annotations: { 'example.test/note': 'of the container' },
    logPath: `${name}-${attempt}.log`,
    lifetime: 'task',
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: { cpuShares: 2, cpuQuota_us: 0, memoryLimit_bytes: 0, oomScoreAdj: 0 },
    security: {
      supplementalGroups: [],
      privileged: false,
      readOnlyRootFilesystem: false,
      noNewPrivileges: true,
      addCapabilities: [],
      dropCapabilities: [],
      seccomp: 'Unconfined',
      seccompProfile: '',
    },
    ...wish,
  };
}

export async function until<T>(target: RuntimeTarget, what: string, read: () => Promise<T | undefined>): Promise<T> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const value = await read();
    if (value !== undefined) return value;
    await target.elapse(LOOK_MS);
  }
  throw new Error(`timed out waiting for ${what}`);
}

/** One pod of the suite at the runtime. */
export class TestPod {
  readonly target: RuntimeTarget;
  readonly spec: SandboxSpec;
  readonly sandboxId: string;

  private constructor(target: RuntimeTarget, spec: SandboxSpec, sandboxId: string) {
    this.target = target;
    this.spec = spec;
    this.sandboxId = sandboxId;
  }

  static async start(target: RuntimeTarget, name = 'pod'): Promise<TestPod> {
    const spec = sandboxSpec(name, target.logRoot);
    return new TestPod(target, spec, await target.runtime.runSandbox(spec));
  }

  get runtime(): Runtime {
    return this.target.runtime;
  }

  create(command: readonly string[], wish: ContainerWish = {}): Promise<string> {
    return this.runtime.createContainer(
      this.sandboxId,
      containerSpec({ uid: this.spec.uid, image: this.target.image, command }, wish),
      this.spec,
    );
  }

  async run(command: readonly string[], wish: ContainerWish = {}): Promise<string> {
    const id = await this.create(command, wish);
    await this.runtime.startContainer(id);
    return id;
  }

  /** A container that runs until it is stopped. */
  serve(wish: ContainerWish = {}): Promise<string> {
    return this.run(['sleep', '3600'], { lifetime: 'service', ...wish });
  }

  async sandbox(): Promise<SandboxRecord | undefined> {
    return (await this.runtime.list(this.spec.uid)).sandboxes.find(({ id }) => id === this.sandboxId);
  }

  async find(id: string): Promise<ContainerRecord | undefined> {
    return (await this.runtime.list(this.spec.uid)).containers.find((record) => record.id === id);
  }

  async container(id: string): Promise<ContainerRecord> {
    const record = await this.find(id);
    if (record === undefined) throw new Error(`the runtime does not list container ${id}`);
    return record;
  }

  ended(id: string): Promise<ContainerRecord> {
    return until(this.target, `the end of container ${id}`, async () => {
      const record = await this.container(id);
      return record.phase === 'exited' ? record : undefined;
    });
  }

  execRequest(
    command: readonly string[],
    wish: { readonly stdin?: boolean; readonly kind?: ExecRequest['kind'] } = {},
  ): ExecRequest {
    const { kind = 'exec', stdin = false } = wish;
    const { namespace, name: pod, uid } = this.spec;
    return { kind, namespace, pod, uid, container: 'main', command, stdin, stdout: true, stderr: true, tty: false };
  }

  openLog(record: ContainerRecord, wish: Partial<LogRequest> = {}, signal: AbortSignal = never): Promise<PodStream> {
    const { namespace, name: pod, uid } = this.spec;
    const request: LogRequest = {
      kind: 'log',
      namespace,
      pod,
      uid,
      container: record.name,
      follow: false,
      previous: false,
      timestamps: false,
      ...wish,
    };
    return this.runtime.openLog(record, request, signal);
  }

  async log(id: string, wish: Partial<LogRequest> = {}): Promise<string> {
    return (await collect(await this.openLog(await this.container(id), wish))).stdout;
  }

  async remove(): Promise<void> {
    await this.runtime.stopSandbox(this.sandboxId);
    await this.runtime.removeSandbox(this.sandboxId);
  }
}

export interface Collected {
  readonly stdout: string;
  readonly stderr: string;
  /** Of the exit frame; undefined when there was none. */
  readonly exitCode: number | undefined;
  /** Kinds of all frames in their order. */
  readonly kinds: readonly string[];
}

export async function collect(stream: PodStream, inputs: readonly PodStreamInput[] = []): Promise<Collected> {
  const bytes: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] };
  const kinds: string[] = [];
  let exitCode: number | undefined;
  for (const input of inputs) await stream.write(input);
  for await (const frame of stream) {
    kinds.push(frame.kind);
    if (frame.kind === 'exit') exitCode = frame.code;
    else bytes[frame.kind].push(frame.data);
  }
  const text = (parts: readonly Uint8Array[]) => Buffer.concat(parts).toString('utf8');
  return { stdout: text(bytes.stdout), stderr: text(bytes.stderr), exitCode, kinds };
}

/** The result of `work`, while the runtime's time goes on. */
export async function meanwhile<T>(target: RuntimeTarget, work: Promise<T>): Promise<T> {
  const settled = work.then(
    () => true,
    () => true,
  );
  await until(target, 'the operation to end', () =>
    Promise.race([settled, target.elapse(LOOK_MS).then(() => undefined)]),
  );
  return work;
}

/** What the call rejects with. A call that throws instead of rejecting fails the test here. */
export async function rejection(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('the call did not reject');
}

export async function isRefused(call: Promise<unknown>): Promise<boolean> {
  return isApiError(await rejection(call));
}
