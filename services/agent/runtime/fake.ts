/** A runtime in memory that records what it is asked, for unit tests: tests move its containers by hand. */
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import { PodTable } from './pod-table.js';
import { ImagePullError } from './runtime.js';
import type { ContainerSpec, ExecResult, ImageRecord, Runtime, RuntimeInfo, RuntimeSnapshot, SandboxSpec } from './runtime.js';

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
  /** Replaced by tests: called before an operation takes effect; throwing makes it fail, waiting makes it slow. */
  before: (call: string) => Promise<void> = () => Promise.resolve();
  /** When false, SIGTERM is ignored and containers live until their grace period is over. */
  obedient = true;
  readonly #clock: Clock;

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
    return this.table.addSandbox(spec, `10.0.0.${spec.attempt + 1}`);
  }

  async stopSandbox(id: string): Promise<void> {
    await this.#call(`stopSandbox ${id}`);
    this.table.stopSandbox(id);
  }

  async removeSandbox(id: string): Promise<void> {
    await this.#call(`removeSandbox ${id}`);
    this.table.removeSandbox(id);
  }

  async createContainer(sandboxId: string, spec: ContainerSpec): Promise<string> {
    await this.#call(`createContainer ${spec.name}/${spec.attempt}`);
    this.specs.set(`${spec.name}/${spec.attempt}`, spec);
    return this.table.addContainer(sandboxId, spec);
  }

  async startContainer(id: string): Promise<void> {
    await this.#call(`startContainer ${this.table.labelOf(id)}`);
    this.table.started(id);
  }

  async updateResources(id: string, resources: ContainerSpec['resources']): Promise<void> {
    await this.#call(`updateResources ${this.table.labelOf(id)} ${resources.cpuShares}/${resources.cpuQuota_us}/${resources.memoryLimit_bytes}`);
  }

  async stopContainer(id: string, timeout_s: number): Promise<void> {
    await this.#call(`stopContainer ${this.table.labelOf(id)} ${timeout_s}`);
    if (this.obedient) this.table.exited(id, 143);
    else {
      await this.#clock.sleep(timeout_s * 1000);
      this.table.exited(id, 137);
    }
  }

  async removeContainer(id: string): Promise<void> {
    await this.#call(`removeContainer ${this.table.labelOf(id)}`);
    this.table.removeContainer(id);
  }

  imageStatus(image: string): Promise<ImageRecord | undefined> {
    return Promise.resolve(this.images.has(image) ? { id: `sha256:${image}`, names: [image], size_bytes: 1 } : undefined);
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

  async execSync(containerId: string, command: readonly string[], _timeout_s: number): Promise<ExecResult> {
    await this.#call(`exec ${this.table.labelOf(containerId)} ${command.join(' ')}`);
    return this.onExec(containerId, command);
  }

  openExec(): Promise<PodStream> {
    return Promise.reject(apiErrors.badRequest('the fake runtime has no streams'));
  }

  openLog(): Promise<PodStream> {
    return Promise.reject(apiErrors.badRequest('the fake runtime has no streams'));
  }

  openPort(): Promise<PodStream> {
    return Promise.reject(apiErrors.badRequest('the fake runtime has no streams'));
  }

  reopenLog(): Promise<void> {
    return Promise.resolve();
  }

  onChange(listener: (podUid: string) => void): () => void {
    return this.table.onChange(listener);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}
