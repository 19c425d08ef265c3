/** A runtime in memory that records what it is asked, for unit tests: tests move its containers by hand. */
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import type { Clock } from '../../../platform/clock.js';
import { ContainerOutput } from './container-output.js';
import { PodTable, unknownContainer } from './pod-table.js';
import { echoStream, resultStream } from './pretended-streams.js';
import { ExecTimeoutError, ImagePullError } from './runtime.js';
import type {
  ContainerRecord,
  ContainerSpec,
  ExecRequest,
  ExecResult,
  ImageRecord,
  LogRequest,
  Runtime,
  RuntimeInfo,
  RuntimeSnapshot,
  SandboxRecord,
  SandboxSpec,
} from './runtime.js';

/** 128 + SIGKILL. */
const KILLED = 137;

export class FakeRuntime implements Runtime {
  readonly name = 'fake';
  readonly pretends = false;
  /** What was called, as `startContainer web/0`. */
  readonly calls: string[] = [];
  /** The specs containers were created with, by `name/attempt`. */
  readonly specs = new Map<string, ContainerSpec>();
  readonly images = new Set<string>();
  readonly table: PodTable;
  /** Replaced by tests: what a command in a container answers. */
  onExec: (containerId: string, command: readonly string[]) => Promise<ExecResult> = () =>
    Promise.resolve({ exitCode: 0, stdout: new Uint8Array(), stderr: new Uint8Array() });
  /** Replaced by tests: what a container does once it has started, as writing to its output. */
  onStart: (id: string, spec: ContainerSpec) => void = () => undefined;
  /** Replaced by tests: called before an operation takes effect; throwing makes it fail, waiting makes it slow. */
  before: (call: string) => Promise<void> = () => Promise.resolve();
  /** When false, SIGTERM is ignored and containers live until their grace period is over. */
  obedient = true;
  readonly #clock: Clock;
  /** Uids in the order of their first sandboxes. */
  readonly #pods: string[] = [];
  readonly #lives = new Map<string, { readonly spec: ContainerSpec; readonly output: ContainerOutput }>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.table = new PodTable(clock, 'fake');
  }

  info(): Promise<RuntimeInfo> {
    return Promise.resolve({ version: 'fake://1.0', ready: true, networkReady: true, message: '' });
  }

  list(podUid?: string): Promise<RuntimeSnapshot> {
    return Promise.resolve(this.table.snapshot(podUid));
  }

  async runSandbox(spec: SandboxSpec): Promise<string> {
    await this.#call(`runSandbox ${spec.name}/${spec.attempt}`);
    if (!this.#pods.includes(spec.uid)) this.#pods.push(spec.uid);
    return this.table.addSandbox(spec, `10.0.${this.#pods.indexOf(spec.uid)}.${spec.attempt + 1}`);
  }

  async stopSandbox(id: string): Promise<void> {
    await this.#call(`stopSandbox ${id}`);
    for (const container of this.table.containersIn(id)) this.exit(container.id, KILLED);
    this.table.stopSandbox(id);
  }

  async removeSandbox(id: string): Promise<void> {
    await this.#call(`removeSandbox ${id}`);
    for (const container of this.table.containersIn(id)) this.#forget(container.id);
    this.table.removeSandbox(id);
  }

  async createContainer(sandboxId: string, spec: ContainerSpec): Promise<string> {
    await this.#call(`createContainer ${spec.name}/${spec.attempt}`);
    if (!this.images.has(spec.image)) throw new Error(`image "${spec.image}" is not present`);
    const id = this.table.addContainer(sandboxId, spec);
    this.specs.set(`${spec.name}/${spec.attempt}`, spec);
    this.#lives.set(id, { spec, output: new ContainerOutput(this.#clock) });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    await this.#call(`startContainer ${this.table.labelOf(id)}`);
    this.table.started(id);
    this.onStart(id, this.#life(id).spec);
  }

  async updateResources(id: string, resources: ContainerSpec['resources']): Promise<void> {
    await this.#call(
      `updateResources ${this.table.labelOf(id)} ${resources.cpuShares}/${resources.cpuQuota_us}/${resources.memoryLimit_bytes}`,
    );
    this.table.running(id);
  }

  async stopContainer(id: string, timeout_s: number): Promise<void> {
    await this.#call(`stopContainer ${this.table.labelOf(id)} ${timeout_s}`);
    if (this.table.container(id)?.phase !== 'running') return;
    if (!this.obedient) await this.#clock.sleep(timeout_s * 1000);
    this.exit(id, this.obedient ? 143 : KILLED);
  }

  async removeContainer(id: string): Promise<void> {
    await this.#call(`removeContainer ${this.table.labelOf(id)}`);
    this.#forget(id);
    this.table.removeContainer(id);
  }

  /** As when the container's process ends. */
  exit(id: string, code: number): void {
    this.table.exited(id, code);
    this.#lives.get(id)?.output.end(code);
  }

  /** As when the container's process writes to its standard output. */
  write(id: string, text: string): void {
    this.#life(id).output.write(text);
  }

  imageStatus(image: string): Promise<ImageRecord | undefined> {
    return Promise.resolve(
      this.images.has(image) ? { id: `sha256:${image}`, names: [image], size_bytes: 1 } : undefined,
    );
  }

  async pullImage(image: string): Promise<void> {
    await this.#call(`pullImage ${image}`);
    throw new ImagePullError(`no registry holds ${image}`);
  }

  listImages(): Promise<readonly ImageRecord[]> {
    return Promise.resolve([...this.images].map((name) => ({ id: `sha256:${name}`, names: [name], size_bytes: 1 })));
  }

  async removeImage(id: string): Promise<void> {
    await this.#call(`removeImage ${id}`);
    this.images.delete(id.replace('sha256:', ''));
  }

  async execSync(containerId: string, command: readonly string[], timeout_s: number): Promise<ExecResult> {
    await this.#call(`exec ${this.table.labelOf(containerId)} ${command.join(' ')}`);
    this.table.running(containerId);
    const ended = new AbortController();
    const late = async (): Promise<never> => {
      await this.#clock.sleep(timeout_s * 1000, ended.signal);
      throw new ExecTimeoutError(`command "${command.join(' ')}" timed out after ${timeout_s} s`);
    };
    return Promise.race([this.onExec(containerId, command), late()]).finally(() => ended.abort());
  }

  async openExec(containerId: string, request: ExecRequest, signal: AbortSignal): Promise<PodStream> {
    this.table.running(containerId);
    if (request.kind === 'attach') return this.#life(containerId).output.attach(signal);
    if (request.command[0] === 'cat' && request.stdin) return echoStream(signal, { exit: true });
    return resultStream(await this.onExec(containerId, request.command), request, signal);
  }

  async openLog({ id }: ContainerRecord, request: LogRequest, signal: AbortSignal): Promise<PodStream> {
    const running = this.table.container(id)?.phase === 'running';
    return Promise.resolve(this.#life(id).output.openLog(request, running, signal));
  }

  /** Every port echoes. */
  async openPort(sandbox: SandboxRecord, _port: number, signal: AbortSignal): Promise<PodStream> {
    this.table.readySandbox(sandbox.id);
    return Promise.resolve(echoStream(signal, { exit: false }));
  }

  async reopenLog(id: string): Promise<void> {
    this.table.running(id);
    return Promise.resolve();
  }

  onChange(listener: (podUid: string) => void): () => void {
    return this.table.onChange(listener);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #life(id: string) {
    const life = this.#lives.get(id);
    if (life === undefined) throw unknownContainer(id);
    return life;
  }

  #forget(id: string): void {
    this.exit(id, KILLED);
    this.#lives.delete(id);
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}
