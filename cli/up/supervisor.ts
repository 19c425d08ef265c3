/**
 * What `navarch up` leaves running: makes the hosts, starts members and workers, starts again what dies, and takes
 * everything away when it is told to. Every step looks first and makes what is missing, so that it heals what a crash
 * or a reboot left behind.
 */
import { readdir } from 'node:fs/promises';
import { get } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodes } from '../../apimachinery/gen/resources.js';
import type { Clock } from '../../platform/clock.js';
import type { Executor } from '../../platform/exec.js';
import type { Logger } from '../../platform/log.js';
import { createClusterPki, readClusterPki, writeClusterPki, type ClusterPki } from '../../platform/pki/cluster-pki.js';
import { canListen } from '../../platform/net/can-listen.js';
import { writeFileAtomic, writeKeyPair } from '../../platform/pki/files.js';
import type { KeyPair } from '../../platform/pki/x509.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import type { Client } from '../../sdk/client.js';
import { connect } from '../../sdk/grpc/connect.js';
import { importImages } from '../hosts/containerd.js';
import { createHosts, missingForHosts, removeHosts } from '../hosts/hosts.js';
import { planHosts, type HostsPlan } from '../hosts/plan.js';
import { buildExampleImages, EXAMPLE_IMAGES, missingForImages, SANDBOX_IMAGE } from '../images/examples.js';
import { UserError } from '../../platform/user-error.js';
import { kubeconfigText } from '../lib/kubeconfig.js';
import { layout } from '../lib/paths.js';
import { issueAdminCertificate } from '../../services/server/certificates.js';
import { hostPort } from '../../services/server/identity.js';
import { answers, LivenessKeeper, mainThreadWaited_ms } from './liveness.js';
import { ManagedProcess } from './managed-process.js';
import { issueWorkerCertificate, recordWorkerKey } from './worker-certificates.js';
import { RuntimeKeeper } from './runtime-keeper.js';
import { planLoopback, planOnHosts, type UpOptions, type UpPlan } from './plan.js';
import { isRunning, processIdOf, signalProcess, type ProcessId } from '../../platform/process-id.js';
import { readState, writeState, type SupervisorState } from './state-file.js';

export interface SupervisorOptions extends UpOptions {
  readonly loopback: boolean;
  /** Addresses of the hosts, a /24. */
  readonly underlay: string;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** How finely a metav1.Time tells. */
const STAMP_MS = 1000;
const READY_MS = 120_000;
/**
 * Node's young generation grows to 16 MiB a half space and thread unless told; four serve a member as well, and save
 * some 25 MB of each process.
 */
const API_ANSWER_MS_MAX = 5_000;
const API_POLL_MS = 50;
const NODE_FLAGS = ['--max-semi-space-size=4'];
/** Bit 24 of a set of capabilities (capabilities(7)). */
const CAP_SYS_RESOURCE = 1n << 24n;
const LEFTOVER_GRACE_MS = 10_000;

/** Whether this process may give processes a lower OOM score than its own. Root in a container often may not. */
function hasSysResource(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${effective}`) & CAP_SYS_RESOURCE) !== 0n;
}

export function hostsPlanOf(
  options: Pick<SupervisorOptions, 'dataDir' | 'members' | 'workers'> & Partial<Pick<SupervisorOptions, 'underlay'>>,
): HostsPlan {
  return planHosts({ ...options, sandboxImage: SANDBOX_IMAGE, lowersOomScores: hasSysResource() });
}

/** Ends what a supervisor that is gone has left running, by the ids it wrote down. */
export async function endLeftovers(dataDir: string, clock: Clock): Promise<void> {
  const left = (readState(dataDir)?.processes ?? []).flatMap((one) => (one.id === undefined ? [] : [one.id]));
  const alive = () => left.filter((id: ProcessId) => isRunning(id));
  for (const id of alive()) signalProcess(id, 'SIGTERM');
  const end_ms = clock.monotonic() + LEFTOVER_GRACE_MS;
  while (alive().length > 0 && clock.monotonic() < end_ms) await clock.sleep(50);
  for (const id of alive()) signalProcess(id, 'SIGKILL');
}

export class Supervisor implements Service {
  readonly name = 'supervisor';
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  #processes: ManagedProcess[] = [];
  #hosts: HostsPlan | undefined;
  #liveness: LivenessKeeper | undefined;
  #runtimes: RuntimeKeeper | undefined;
  #plan: UpPlan | undefined;
  /** Workers that have got a key of their own just now. */
  readonly #newKeys = new Map<string, string>();
  #notes: string[] = [];
  #hasFront = true;
  #started_ms = 0;
  #phase: SupervisorState['phase'] = 'starting';
  #message = '';

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    try {
      await this.#start();
      this.#phase = 'running';
      this.#say('ready');
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#phase = 'failed';
      this.#say((error as Error).message);
      this.#options.logger.error({ error: (error as Error).stack }, 'the cluster could not be started');
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the supervisor was stopped'));
    this.#phase = 'stopping';
    this.#say('stopping');
    this.#liveness?.stop();
    await this.#runtimes?.stop();
    const isWorker = (one: ManagedProcess) =>
      this.#plan?.workers.some((worker) => worker.name === one.spec.name) === true;
    await Promise.all(this.#processes.filter(isWorker).map((one) => one.stop()));
    await Promise.all(this.#processes.map((one) => one.stop()));
    if (this.#hosts !== undefined) await removeHosts(this.#hosts, this.#options);
    this.#say('stopped');
  }

  async #start(): Promise<void> {
    const { dataDir, clock } = this.#options;
    this.#started_ms = clock.now();
    // Before anything is said: that would write over what the former supervisor has left.
    await endLeftovers(dataDir, clock);
    this.#say('looking at this machine');
    const pki = await this.#pki();
    const missing = await this.#missing();
    if (missing.length === 0) {
      this.#hosts = hostsPlanOf(this.#options);
      this.#plan = planOnHosts(this.#options, this.#hosts);
    } else {
      this.#notes = [
        `${missing.join('; ')}: members run on loopback, and workers only pretend to run containers (hollow)`,
      ];
      this.#plan = planLoopback(this.#options);
    }
    const admin = await issueAdminCertificate(pki, this.#options);
    await writeKeyPair(layout(dataDir).etcdClient, admin);
    for (const worker of this.#plan.workers) {
      const key = await issueWorkerCertificate(pki, worker, this.#options);
      if (key !== undefined) this.#newKeys.set(worker.name, key);
    }
    const writeKubeconfig = () => this.#writeKubeconfig(pki, admin);
    if (this.#hosts === undefined) {
      await writeKubeconfig();
      this.#startProcesses(this.#plan, () => true);
    } else {
      await this.#startOnHosts(this.#plan, this.#hosts, writeKubeconfig);
    }
    this.#watchMembers(pki, this.#plan);
    await this.#waitUntilReady(pki, admin, this.#plan);
  }

  async #missing(): Promise<string[]> {
    if (this.#options.loopback) return ['--loopback was given'];
    const reasons = await missingForHosts(this.#options.executor);
    return reasons.length > 0 ? reasons : missingForImages();
  }

  async #pki(): Promise<ClusterPki> {
    const directory = layout(this.#options.dataDir).pki;
    const stored = await readClusterPki(directory);
    if (stored !== undefined) return stored;
    this.#say("making the cluster's certificates");
    const pki = await createClusterPki(this.#options);
    await writeClusterPki(directory, pki);
    return pki;
  }

  async #writeKubeconfig(pki: ClusterPki, credential: KeyPair): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    this.#hasFront = await canListen(plan.front);
    if (!this.#hasFront)
      this.#notes.push(
        `port ${plan.front.port} of ${plan.front.host} is in use: the kubeconfig names one member, and kubectl is refused while that one is down`,
      );
    await writeFileAtomic(
      layout(this.#options.dataDir).kubeconfig,
      kubeconfigText({
        server: this.#apiUrl(plan),
        clusterAuthority: pki.clusterAuthority.certificate,
        user: 'kubernetes-admin',
        credential,
      }),
      0o600,
    );
  }

  /** Members need nothing of the images: they form the cluster while those are built. */
  async #startOnHosts(plan: UpPlan, hosts: HostsPlan, onHostsMade: () => Promise<void>): Promise<void> {
    const isWorker = (name: string) => plan.workers.some((worker) => worker.name === name);
    this.#say('making the hosts');
    const images = buildExampleImages(layout(this.#options.dataDir).images);
    // Both may fail; the first failure is reported, the other must not be unhandled.
    images.catch(() => undefined);
    await createHosts(hosts, this.#options);
    // Only now has this machine the address that the kubeconfig names.
    await onHostsMade();
    this.#runtimes = new RuntimeKeeper(hosts.hosts, this.#options);
    await this.#runtimes.start();
    this.#startProcesses(plan, (name) => !isWorker(name));
    this.#say('building and importing the example images');
    const paths = await images;
    const references = [SANDBOX_IMAGE, ...Object.values(EXAMPLE_IMAGES)];
    const workers = hosts.hosts.filter((host) => host.containerd !== undefined);
    await Promise.all(
      workers.map((host) =>
        importImages(
          host,
          paths.flatMap((path) => references.map((reference) => ({ reference, path }))),
          this.#options,
        ),
      ),
    );
    this.#startProcesses(plan, isWorker);
  }

  #startProcesses(plan: UpPlan, wanted: (name: string) => boolean): void {
    const { clock, logger, dataDir } = this.#options;
    const main = process.argv[1] ?? '';
    for (const one of this.#hasFront ? [plan.front.process, ...plan.processes] : plan.processes) {
      if (!wanted(one.name) || this.#stop.signal.aborted) continue;
      const inside = one.namespace === undefined ? [] : [`--net=/run/netns/${one.namespace}`, '--', process.execPath];
      const program = [...NODE_FLAGS, main, ...one.args];
      const managed = new ManagedProcess(
        {
          name: one.name,
          command: one.namespace === undefined ? process.execPath : 'nsenter',
          args: [...inside, ...program],
          logFile: join(layout(dataDir).logs, `${one.name}.log`),
        },
        { clock, logger, onChange: () => this.#write() },
      );
      this.#processes.push(managed);
      managed.start();
    }
    this.#say(`starting ${plan.members.length} members and ${plan.workers.length} workers`);
  }

  #watchMembers(pki: ClusterPki, plan: UpPlan): void {
    const { clock, logger } = this.#options;
    const members = plan.members.flatMap((member) => {
      const process = this.#processes.find(({ spec }) => spec.name === member.name);
      return process === undefined ? [] : [{ process, url: `https://${hostPort(member.host, member.apiPort)}` }];
    });
    this.#liveness = new LivenessKeeper({
      members,
      clock,
      logger,
      waited_ms: mainThreadWaited_ms,
      ask: (url) => answers(url, pki.clusterAuthority.certificate),
    });
    this.#liveness.start();
  }

  async #waitUntilReady(pki: ClusterPki, admin: KeyPair, plan: UpPlan): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(READY_MS)]);
    const endpoints = plan.members.map((member) => hostPort(member.host, member.grpcPort));
    const tls = { ca: pki.clusterAuthority.certificate, certificate: admin.certificate, privateKey: admin.privateKey };
    const missing = new Set(plan.workers.map((worker) => worker.name));
    this.#say('waiting for the members');
    let client: Client | undefined;
    try {
      client = await this.#connectPatiently(endpoints, tls, signal);
      for (const [name, key] of this.#newKeys) await recordWorkerKey(client, name, key);
      // Any of them may be the one that a kubeconfig names. One that heals beside others that work is easily missed.
      const urls = [
        ...plan.members.map((member) => `https://${hostPort(member.host, member.apiPort)}`),
        this.#apiUrl(plan),
      ];
      await Promise.all(urls.map((url) => this.#apiAnswers(`${url}/readyz`, tls.ca, signal)));
      while (missing.size > 0) {
        this.#say(`waiting for ${[...missing].join(', ')} to be ready`);
        await this.#watchNodes(client, missing, signal);
      }
    } catch (error) {
      throw this.#stop.signal.aborted ? error : new UserError(await this.#whyNotReady(error as Error, missing));
    } finally {
      await client?.close();
    }
  }

  /** What clients are told: the front, or, without it, one member. */
  #apiUrl(plan: UpPlan): string {
    const [first] = plan.members;
    if (first === undefined) throw new UserError('a cluster needs at least one member', 2);
    return `https://${this.#hasFront ? hostPort(plan.front.host, plan.front.port) : hostPort(first.host, first.apiPort)}`;
  }

  async #apiAnswers(url: string, ca: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const code = await new Promise<number | undefined>((resolve) => {
        const asking = get(url, { ca, agent: false, signal, timeout: API_ANSWER_MS_MAX }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        asking.on('timeout', () => asking.destroy());
        asking.on('error', () => resolve(undefined));
      });
      if (code === 200) return;
      await this.#options.clock.sleep(API_POLL_MS, signal);
    }
  }

  async #connectPatiently(
    endpoints: readonly string[],
    tls: { ca: string; certificate: string; privateKey: string },
    signal: AbortSignal,
  ): Promise<Client> {
    for (;;) {
      try {
        return await connect({ endpoints, tls, signal, connectTimeout_ms: 2_000 });
      } catch (error) {
        if (signal.aborted) throw error;
        this.#failIfDoomed();
        await this.#options.clock.sleep(20);
      }
    }
  }

  async #watchNodes(client: Client, missing: Set<string>, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of client.watch(nodes, { signal })) {
        const ready = event.object.status?.conditions?.find(
          ({ type, status }) => type === 'Ready' && status === 'True',
        );
        // What was stored before this start tells how the worker was then.
        const isOfNow = Date.parse(ready?.lastHeartbeatTime ?? '') >= this.#started_ms - STAMP_MS;
        if (event.type !== 'BOOKMARK' && isOfNow) missing.delete(event.object.metadata?.name ?? '');
        if (missing.size === 0) return;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failIfDoomed();
      await this.#options.clock.sleep(100);
    }
  }

  /** A process that ends again and again will not get better by waiting: a port in use, a foreign data directory. */
  #failIfDoomed(): void {
    const doomed = this.#processes.find((one) => one.restarts >= 5 && one.id === undefined);
    if (doomed !== undefined)
      throw new UserError(`${doomed.spec.name} does not start (${doomed.lastExit}); its log: ${doomed.spec.logFile}`);
  }

  async #whyNotReady(error: Error, missing: ReadonlySet<string>): Promise<string> {
    if (error instanceof UserError) return error.message;
    const logs = await readdir(layout(this.#options.dataDir).logs).catch(() => []);
    const waited = missing.size === 0 ? error.message : `not ready: ${[...missing].join(', ')}`;
    return `the cluster is not ready after ${READY_MS / 1000} s (${waited}); logs in ${layout(this.#options.dataDir).logs}: ${logs.join(', ')}`;
  }

  #say(message: string): void {
    this.#message = message;
    this.#options.logger.info({ phase: this.#phase }, message);
    this.#write();
  }

  #write(): void {
    const self = processIdOf(process.pid);
    if (self === undefined) return;
    const plan = this.#plan;
    writeState(this.#options.dataDir, {
      supervisor: self,
      phase: this.#phase,
      message: this.#message,
      notes: this.#notes,
      mode: plan?.mode ?? 'loopback',
      ...(plan === undefined ? {} : { api: this.#apiUrl(plan) }),
      processes: this.#processes.map((one) => ({
        name: one.spec.name,
        restarts: one.restarts,
        lastExit: one.lastExit,
        logFile: one.spec.logFile,
        ...(one.id === undefined ? {} : { id: one.id }),
      })),
      members: (plan?.members ?? []).map((member) => ({
        name: member.name,
        api: `https://${hostPort(member.host, member.apiPort)}`,
        grpc: hostPort(member.host, member.grpcPort),
        peer: hostPort(member.host, member.peerPort),
      })),
      workers: (plan?.workers ?? []).map(({ name, address, runtime }) => ({ name, address, runtime })),
    });
  }
}
