/**
 * Pods that only pretend: sandboxes and containers are records, addresses come from the pod CIDR, images are always
 * there. For tests and for scale: thousands of nodes in a process. Annotations of the pod make it slow or make it fail.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import { toMicroTime } from '../../../platform/clock.js';
import type { PodStream, PodStreamInput } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { HOLLOW_ANNOTATIONS, annotationOf, behaviourOf, hollowUser, type Annotations, type HollowRule } from './hollow-behaviour.js';
import { runHollowCommand } from './hollow-commands.js';
import { PipedStream } from './piped-stream.js';
import { PodTable } from './pod-table.js';
import { ImagePullError } from './runtime.js';
import type {
  ContainerRecord, ContainerSpec, ExecRequest, ExecResult, ImageRecord, LogRequest, Runtime, RuntimeInfo, RuntimeSnapshot, SandboxRecord, SandboxSpec,
} from './runtime.js';

;

/** Images whose name says so cannot be pulled, as `example.test/missing/web:1`. */
const MISSING_IMAGE = /(^|\/)missing\//;
const LOG_LINES_MAX = 1000;

interface Follower {
  send(line: { readonly at_ms: number; readonly text: string }): void;
  /** The container has ended: `code` is how. */
  end(code: number): void;
}

interface Life {
  readonly spec: ContainerSpec;
  readonly annotations: Annotations;
  readonly hostname: string;
  readonly lines: { readonly at_ms: number; readonly text: string }[];
  readonly followers: Set<Follower>;
  timer: Timer | undefined;
}

export interface HollowOptions {
  readonly clock: Clock;
  /** IPv4 range for pods' addresses, as `10.244.1.0/24`; asked when a pod starts. Undefined: the network is not ready yet. */
  readonly podCIDR?: () => string | undefined;
  /** How containers of some images differ from what they do by default. */
  readonly rules?: readonly HollowRule[];
}

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
    return Promise.resolve({ version: 'hollow://1.0', ready: true, networkReady, message: networkReady ? '' : 'the node has no share of the pod network yet' });
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
    this.#table.stopSandbox(id);
    return Promise.resolve();
  }

  removeSandbox(id: string): Promise<void> {
    this.#annotations.delete(id);
    this.#free(id);
    for (const container of this.#table.containersIn(id)) this.#forget(container.id);
    this.#table.removeSandbox(id);
    return Promise.resolve();
  }

  createContainer(sandboxId: string, spec: ContainerSpec, sandbox: SandboxSpec): Promise<string> {
    const annotations = this.#annotations.get(sandboxId) ?? {};
    const failure = annotationOf(annotations, HOLLOW_ANNOTATIONS.failCreate, spec.name);
    if (failure !== undefined) return Promise.reject(new Error(failure));
    const id = this.#table.addContainer(sandboxId, spec);
    this.#lives.set(id, { spec, annotations, hostname: sandbox.hostname, lines: [], followers: new Set(), timer: undefined });
    return Promise.resolve(id);
  }

  startContainer(id: string): Promise<void> {
    this.#table.started(id);
    const life = this.#life(id);
    const command = [...life.spec.command, ...life.spec.args].join(' ');
    this.#log(life, `${life.spec.name} of ${life.hostname} started (hollow: ${life.spec.image}${command === '' ? '' : `, would run ${command}`})`);
    const { exitAfter_ms, exitCode, output } = behaviourOf(life.spec, life.hostname, { annotations: life.annotations, rules: this.#rules });
    for (const line of output === '' ? [] : output.replace(/\n$/, '').split('\n')) this.#log(life, line);
    if (exitAfter_ms !== Infinity) life.timer = this.#clock.after(exitAfter_ms, () => this.#exit(id, exitCode));
    return Promise.resolve();
  }

  updateResources(): Promise<void> {
    return Promise.resolve();
  }

  async stopContainer(id: string, timeout_s: number): Promise<void> {
    const life = this.#lives.get(id);
    if (life === undefined) return;
    const wanted_ms = Number(annotationOf(life.annotations, HOLLOW_ANNOTATIONS.stopDelay, life.spec.name) ?? 0);
    await this.#wait(String(Math.min(wanted_ms, timeout_s * 1000)));
    this.#exit(id, wanted_ms > timeout_s * 1000 ? 137 : 0);
  }

  removeContainer(id: string): Promise<void> {
    this.#forget(id);
    this.#table.removeContainer(id);
    return Promise.resolve();
  }

  imageStatus(image: string): Promise<ImageRecord | undefined> {
    return Promise.resolve(this.#images.has(image) ? this.#imageRecord(image) : undefined);
  }

  pullImage(image: string): Promise<void> {
    if (MISSING_IMAGE.test(image)) return Promise.reject(new ImagePullError(`failed to resolve reference "${image}": not found`));
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

  execSync(containerId: string, command: readonly string[]): Promise<ExecResult> {
    const life = this.#life(containerId);
    const { known, output, code } = runHollowCommand(command, { hostname: life.hostname, env: life.spec.env });
    // Probes and hooks: what it does not know counts as well done, or no pod of such an image would ever be ready.
    return Promise.resolve({ exitCode: known ? code : 0, stdout: Buffer.from(output), stderr: new Uint8Array() });
  }

  async openExec(containerId: string, request: ExecRequest, signal: AbortSignal): Promise<PodStream> {
    const life = this.#life(containerId);
    if (request.kind === 'attach') return this.#follow(life, signal);
    const echo = request.command[0] === 'cat' && request.stdin;
    const stream: PipedStream = new PipedStream({
      signal,
      async onInput(input: PodStreamInput) {
        if (!echo) return;
        if (input.kind === 'stdin') await stream.push({ kind: 'stdout', data: input.data });
        else if (input.kind === 'stdin-end') finish(0);
      },
    });
    const finish = (code: number) => {
      void stream.push({ kind: 'exit', code });
      stream.end();
    };
    if (!echo) {
      const { known, output, code } = runHollowCommand(request.command, { hostname: life.hostname, env: life.spec.env });
      const kind = known || !request.stderr ? 'stdout' : 'stderr';
      if (output !== '') await stream.push({ kind, data: Buffer.from(output) });
      finish(code);
    }
    return stream;
  }

  async openLog(container: ContainerRecord, request: LogRequest, signal: AbortSignal): Promise<PodStream> {
    const life = this.#life(container.id);
    const stream = new PipedStream({ signal, onClose: () => void life.followers.delete(follower) });
    const since_ms = request.sinceTime === undefined ? this.#clock.now() - (request.sinceSeconds ?? Infinity) * 1000 : Date.parse(request.sinceTime);
    let left_bytes = request.limitBytes ?? Infinity;
    const send: Follower['send'] = (line) => {
      const text = `${request.timestamps ? `${toMicroTime(line.at_ms)} ` : ''}${line.text}\n`;
      const data = Buffer.from(text).subarray(0, left_bytes);
      left_bytes -= data.length;
      if (data.length > 0) void stream.push({ kind: 'stdout', data });
      if (left_bytes <= 0) stream.end();
    };
    const follower: Follower = { send, end: () => stream.end() };
    const kept = life.lines.filter((line) => line.at_ms >= since_ms);
    for (const line of request.tailLines === undefined ? kept : kept.slice(Math.max(kept.length - request.tailLines, 0))) send(line);
    if (request.follow && this.#table.container(container.id)?.phase === 'running') life.followers.add(follower);
    else stream.end();
    return Promise.resolve(stream);
  }

  /** Every port echoes. */
  openPort(_sandbox: SandboxRecord, _port: number, signal: AbortSignal): Promise<PodStream> {
    const stream: PipedStream = new PipedStream({
      signal,
      async onInput(input: PodStreamInput) {
        if (input.kind === 'stdin') await stream.push({ kind: 'stdout', data: input.data });
        else if (input.kind === 'stdin-end') stream.end();
      },
    });
    return Promise.resolve(stream);
  }

  reopenLog(): Promise<void> {
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

  #follow(life: Life, signal: AbortSignal): PodStream {
    const stream = new PipedStream({ signal, onClose: () => void life.followers.delete(follower) });
    const follower: Follower = {
      send: ({ text }) => void stream.push({ kind: 'stdout', data: Buffer.from(`${text}\n`) }),
      end: (code) => {
        void stream.push({ kind: 'exit', code });
        stream.end();
      },
    };
    life.followers.add(follower);
    return stream;
  }

  #life(id: string): Life {
    const life = this.#lives.get(id);
    if (life === undefined) throw apiErrors.badRequest(`container ${id} is not known to the runtime`);
    return life;
  }

  #exit(id: string, code: number): void {
    const life = this.#lives.get(id);
    life?.timer?.cancel();
    if (life !== undefined) {
      this.#log(life, `${life.spec.name} exits with code ${code}`);
      for (const follower of [...life.followers]) follower.end(code);
    }
    this.#table.exited(id, code);
  }

  #forget(id: string): void {
    this.#lives.get(id)?.timer?.cancel();
    this.#lives.delete(id);
  }

  #log(life: Life, text: string): void {
    const line = { at_ms: this.#clock.now(), text };
    life.lines.push(line);
    if (life.lines.length > LOG_LINES_MAX) life.lines.shift();
    for (const follower of life.followers) follower.send(line);
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
