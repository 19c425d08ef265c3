/**
 * Pods that only pretend: sandboxes and containers are records, addresses come from the pod CIDR, images are always
 * there. For tests and for scale: thousands of nodes in a process. Annotations of the pod make it slow or make it fail.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import { ContainerOutput } from './container-output.js';
import {
  HOLLOW_ANNOTATIONS,
  annotationOf,
  behaviourOf,
  hollowUser,
  type Annotations,
  type HollowRule,
} from './hollow-behaviour.js';
import { runHollowCommand, type HollowResult } from './hollow-commands.js';
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

/** Images whose name says so cannot be pulled, as `example.test/missing/web:1`. */
const MISSING_IMAGE = /(^|\/)missing\//;

interface Life {
  readonly spec: ContainerSpec;
  readonly annotations: Annotations;
  readonly hostname: string;
  readonly output: ContainerOutput;
  timer: Timer | undefined;
}

export interface HollowOptions {
  readonly clock: Clock;
  /**
   * IPv4 range for pods' addresses, as `10.244.1.0/24`; asked when a pod starts. Undefined: the network is not ready
   * yet.
   */
  readonly podCIDR?: () => string | undefined;
  /** How containers of some images differ from what they do by default. */
  readonly rules?: readonly HollowRule[];
}

/** 128 + SIGKILL. */
const KILLED = 137;
const CIDR_DEFAULT = '10.88.0.0/16';

export class HollowRuntime implements Runtime {
  readonly name = 'hollow';
  readonly pretends = true;
  readonly #clock: Clock;
  readonly #podCIDR: () => string | undefined;
  readonly #rules: readonly HollowRule[];
  readonly #table: PodTable;
  readonly #lives = new Map<string, Life>();
  readonly #annotations = new Map<string, Annotations>();
  readonly #addresses = new Map<string, string>();
  readonly #images = new Set<string>();
  readonly #taken = new Set<string>();
  #nextHost = 0;

  constructor(options: HollowOptions) {
    this.#clock = options.clock;
    this.#podCIDR = options.podCIDR ?? (() => CIDR_DEFAULT);
    this.#rules = options.rules ?? [];
    this.#table = new PodTable(options.clock, 'hollow');
  }

  info(): Promise<RuntimeInfo> {
    const networkReady = this.#podCIDR() !== undefined;
    return Promise.resolve({
      version: 'hollow://1.0',
      ready: true,
      networkReady,
      message: networkReady ? '' : 'the node has no share of the pod network yet',
    });
  }

  list(podUid?: string): Promise<RuntimeSnapshot> {
    return Promise.resolve(this.#table.snapshot(podUid));
  }

  async runSandbox(spec: SandboxSpec): Promise<string> {
    await this.#wait(spec.annotations[HOLLOW_ANNOTATIONS.startDelay]);
    const address = this.#allocate();
    const id = this.#table.addSandbox(spec, address);
    this.#annotations.set(id, spec.annotations);
    this.#addresses.set(id, address);
    return id;
  }

  stopSandbox(id: string): Promise<void> {
    this.#free(id);
    for (const container of this.#table.containersIn(id))
      if (container.phase === 'running') this.#exit(container.id, KILLED);
    this.#table.stopSandbox(id);
    return Promise.resolve();
  }

  removeSandbox(id: string): Promise<void> {
    this.#annotations.delete(id);
    this.#free(id);
    for (const container of this.#table.containersIn(id)) {
      this.#exit(container.id, KILLED);
      this.#forget(container.id);
    }
    this.#table.removeSandbox(id);
    return Promise.resolve();
  }

  async createContainer(sandboxId: string, spec: ContainerSpec, sandbox: SandboxSpec): Promise<string> {
    const annotations = this.#annotations.get(sandboxId) ?? {};
    const failure = annotationOf(annotations, HOLLOW_ANNOTATIONS.failCreate, spec.name);
    if (failure !== undefined) throw new Error(failure);
    if (!this.#images.has(spec.image)) throw new Error(`image "${spec.image}" is not present`);
    const id = this.#table.addContainer(sandboxId, spec);
    this.#lives.set(id, {
      spec,
      annotations,
      hostname: sandbox.hostname,
      output: new ContainerOutput(this.#clock),
      timer: undefined,
    });
    return Promise.resolve(id);
  }

  async startContainer(id: string): Promise<void> {
    const life = this.#life(id);
    this.#table.started(id);
    const command = [...life.spec.command, ...life.spec.args].join(' ');
    const would = command === '' ? '' : `, would run ${command}`;
    life.output.write(`${life.spec.name} of ${life.hostname} started (hollow: ${life.spec.image}${would})`);
    const { exitAfter_ms, exitCode, output } = behaviourOf(life.spec, life.hostname, {
      annotations: life.annotations,
      rules: this.#rules,
    });
    if (output !== '') life.output.write(output);
    if (exitAfter_ms !== Infinity) life.timer = this.#clock.after(exitAfter_ms, () => this.#exit(id, exitCode));
    return Promise.resolve();
  }

  async updateResources(id: string): Promise<void> {
    this.#table.running(id);
    return Promise.resolve();
  }

  async stopContainer(id: string, timeout_s: number): Promise<void> {
    const life = this.#lives.get(id);
    if (life === undefined || this.#table.container(id)?.phase === 'exited') return;
    const wanted_ms = Number(annotationOf(life.annotations, HOLLOW_ANNOTATIONS.stopDelay, life.spec.name) ?? 0);
    await this.#wait(String(Math.min(wanted_ms, timeout_s * 1000)));
    this.#exit(id, wanted_ms > timeout_s * 1000 ? KILLED : 0);
  }

  removeContainer(id: string): Promise<void> {
    this.#exit(id, KILLED);
    this.#forget(id);
    this.#table.removeContainer(id);
    return Promise.resolve();
  }

  imageStatus(image: string): Promise<ImageRecord | undefined> {
    return Promise.resolve(this.#images.has(image) ? this.#imageRecord(image) : undefined);
  }

  pullImage(image: string): Promise<void> {
    if (MISSING_IMAGE.test(image))
      return Promise.reject(new ImagePullError(`failed to resolve reference "${image}": not found`));
    this.#images.add(image);
    return Promise.resolve();
  }

  listImages(): Promise<readonly ImageRecord[]> {
    return Promise.resolve([...this.#images].map((image) => this.#imageRecord(image)));
  }

  removeImage(id: string): Promise<void> {
    for (const name of this.#images) if (imageId(name) === id) this.#images.delete(name);
    return Promise.resolve();
  }

  async execSync(containerId: string, command: readonly string[], timeout_s: number): Promise<ExecResult> {
    const { known, output, code, duration_ms = 0 } = this.#run(containerId, command);
    if (duration_ms > timeout_s * 1000) {
      await this.#clock.sleep(timeout_s * 1000);
      throw new ExecTimeoutError(`command "${command.join(' ')}" timed out after ${timeout_s} s`);
    }
    if (duration_ms > 0) await this.#clock.sleep(duration_ms);
    // Probes and hooks: what it does not know counts as well done, or no pod of such an image would ever be ready.
    return { exitCode: known ? code : 0, stdout: Buffer.from(output), stderr: new Uint8Array() };
  }

  async openExec(containerId: string, request: ExecRequest, signal: AbortSignal): Promise<PodStream> {
    this.#table.running(containerId);
    if (request.kind === 'attach') return this.#life(containerId).output.attach(signal);
    if (request.command[0] === 'cat' && request.stdin) return echoStream(signal, { exit: true });
    const { known, output, code } = this.#run(containerId, request.command);
    const [stdout, stderr] = known ? [output, ''] : ['', output];
    return resultStream({ exitCode: code, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) }, request, signal);
  }

  async openLog({ id }: ContainerRecord, request: LogRequest, signal: AbortSignal): Promise<PodStream> {
    const running = this.#table.container(id)?.phase === 'running';
    return Promise.resolve(this.#life(id).output.openLog(request, running, signal));
  }

  /** Every port echoes. */
  async openPort(sandbox: SandboxRecord, _port: number, signal: AbortSignal): Promise<PodStream> {
    this.#table.readySandbox(sandbox.id);
    return Promise.resolve(echoStream(signal, { exit: false }));
  }

  async reopenLog(id: string): Promise<void> {
    this.#table.running(id);
    return Promise.resolve();
  }

  onChange(listener: (podUid: string) => void): () => void {
    return this.#table.onChange(listener);
  }

  close(): Promise<void> {
    for (const life of this.#lives.values()) life.timer?.cancel();
    return Promise.resolve();
  }

  #imageRecord(name: string): ImageRecord {
    return { id: imageId(name), names: [name], size_bytes: 1 << 20, uid: hollowUser(name, this.#rules) };
  }

  #life(id: string): Life {
    const life = this.#lives.get(id);
    if (life === undefined) throw unknownContainer(id);
    return life;
  }

  #run(id: string, command: readonly string[]): HollowResult {
    this.#table.running(id);
    const { hostname, spec } = this.#life(id);
    return runHollowCommand(command, { hostname, env: spec.env });
  }

  #exit(id: string, code: number): void {
    const life = this.#lives.get(id);
    life?.timer?.cancel();
    if (this.#table.container(id)?.phase === 'running') life?.output.write(`${life.spec.name} exits with code ${code}`);
    this.#table.exited(id, code);
    life?.output.end(code);
  }

  #forget(id: string): void {
    this.#lives.get(id)?.timer?.cancel();
    this.#lives.delete(id);
  }

  async #wait(delay_ms: string | undefined): Promise<void> {
    const value = Number(delay_ms ?? 0);
    if (value > 0) await this.#clock.sleep(value);
  }

  #free(sandboxId: string): void {
    this.#taken.delete(this.#addresses.get(sandboxId) ?? '');
    this.#addresses.delete(sandboxId);
  }

  /** The next free address of the pod CIDR; its first two (network, gateway) and its last are not given out. */
  #allocate(): string {
    const cidr = this.#podCIDR();
    if (cidr === undefined) throw new Error('the node has no share of the pod network yet');
    const [base = '', bits = '16'] = cidr.split('/');
    const size = 2 ** (32 - Number(bits));
    const start = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    for (let tried = 0; tried < size - 3; tried++) {
      const host = start + 2 + (this.#nextHost++ % (size - 3));
      const address = [24, 16, 8, 0].map((shift) => Math.floor(host / 2 ** shift) % 256).join('.');
      if (this.#taken.has(address)) continue;
      this.#taken.add(address);
      return address;
    }
    throw new Error(`no free address in ${base}/${bits}`);
  }
}

const imageId = (name: string) => `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)}`;
