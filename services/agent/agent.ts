/**
 * agent: the worker's end. It holds sessions with every member, keeps a state machine for each pod bound to its node,
 * drives the container runtime, and reports.
 *
 * In: pod specs and just the objects they refer to (NODE_OBJECTS), requests for tunnels (over sessions); what the
 * runtime holds. Out: actions on the runtime, volumes on the host, node and pod status, events, pod streams. Containers
 * do not depend on it: killed and started again, it adopts what runs. It must never listen for anything
 * unauthenticated, hold an object no pod of its node refers to, or let an object's name or path reach the file system
 * unchecked.
 */
import type { ChannelCredentials } from '@grpc/grpc-js';
import { credentials } from '@grpc/grpc-js';
import { encodeJson, encodeJsonBytes, parseJsonBytes } from '../../apimachinery/json-value.js';
import { nodeObjectKind } from '../../apimachinery/node-objects/references.js';
import { NODE_OBJECTS } from '../../apimachinery/node-objects/table.js';
import type { NodeObjectTable } from '../../apimachinery/node-objects/table.js';
import type { TokenNeed } from '../../apimachinery/node-objects/tokens.js';
import { kindOfWire } from '../../apimachinery/node-objects/wire.js';
import type { WireKind } from '../../apimachinery/node-objects/wire.js';
import type { KubeObject } from '../../apimachinery/object.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { Containment } from '../../platform/containment.js';
import type { Part, PartFaults } from '../../platform/containment.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import type { TokenGrant } from '../../proto/gen/navarch/node/v1/node.js';
import { hostDns, machineFacts } from './node/machine.js';
import type { PodCgroups } from './cgroups/pod-cgroups.js';
import type { ImageGarbage } from './node/image-garbage.js';
import { capacityOf } from './node/capacity.js';
import type { CapacityOptions } from './node/capacity.js';
import { nodeReport } from './node/report.js';
import type { MachineFacts } from './node/machine.js';
import type { NodeObject } from './pod/admission.js';
import type { Token } from './pod/environment.js';
import { Images } from './pod/images.js';
import { noCheckpoints } from './pod/checkpoints.js';
import type { Checkpoints } from './pod/checkpoints.js';
import { PodManager } from './pod/manager.js';
import type { PodKey } from './pod-spec/spec.js';
import type { Pod, PodStatus, Quantities } from './pod-spec/types.js';
import { Handlers } from './probes/handlers.js';
import type { Runtime } from './runtime/runtime.js';
import type { AgentMetrics } from './server/metrics.js';
import { PodEvents } from './session/events.js';
import type { Downward } from './session/member-session.js';
import { MemberSessions } from './session/member-sessions.js';
import { serveTunnel } from './session/tunnels.js';
import { openPodStream } from './streams.js';
import { noVolumes } from './volumes/volumes.js';
import type { Volumes } from './volumes/volumes.js';

interface PemProvider {
  /** Read at each connection, so that rotated certificates are taken up. */
  (): { readonly ca: string; readonly certificate: string; readonly key: string };
}

export interface AgentOptions {
  readonly nodeName: string;
  /** `host:port` of any members; the others are learnt. */
  readonly memberEndpoints: readonly string[];
  /** Absent: no TLS, for tests on loopback with a member that identifies callers otherwise. */
  readonly tls?: PemProvider;
  readonly runtime: Runtime;
  /** Where volumes and logs lie. With a hollow runtime nothing is written. */
  readonly dataDir?: string;
  /** Absent: none, for a runtime that pretends. */
  readonly volumes?: Volumes;
  /** Absent: pods have no control groups of their own, for a runtime that pretends. */
  readonly cgroups?: { readonly root: string; readonly pods: PodCgroups };
  /** Absent: images are never taken away. */
  readonly imageGarbage?: ImageGarbage;
  /** What members send besides pods; absent: NODE_OBJECTS. Members are started with the same. */
  readonly objects?: NodeObjectTable;
  /** What it was told last, for a start without members. Absent: it knows nothing until a member tells it. */
  readonly checkpoints?: Checkpoints;
  readonly nodeIP: string;
  /** Where the worker serves health and metrics: what members reach through it. Absent: nowhere. */
  readonly serving?: { readonly host: string; readonly port: number };
  /** The cluster DNS address; '' leaves pods to the node's resolver. */
  readonly clusterDNS: string;
  readonly clusterDomain?: string;
  /** Whether the overlay has the node's network in place. */
  readonly networkReady?: () => boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** Overrides what the machine has, for hollow nodes. */
  readonly machine?: Partial<MachineFacts>;
  /** What of it pods may have; absent: all. */
  readonly capacity?: CapacityOptions;
  readonly version?: string;
  /** What the agent's pods, sessions and tunnels are parts of; absent: their faults are logged. */
  readonly part?: Part;
  /** Faults of the whole worker, for its Node and its metrics. */
  readonly faults?: () => readonly PartFaults[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Agent extends Service {
  /** The member that is primary now. */
  primary(): string | undefined;
  /** The node's share of the pod network, once the cluster has decided on it. */
  podCIDR(): string | undefined;
  /** What is wrong with the worker; undefined: nothing. A missing member is nothing of the worker's. */
  health(): Promise<string | undefined>;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Takes in the node's state at once instead of at the next interval, as when the network has become ready. */
  refresh(): void;
}

const AGENT_VERSION = 'v1.36.0-navarch';
const NODE_CHECK_MS = 10_000;
/** While it is not ready, a node looks at itself more often: it is being waited for. */
const NODE_CHECK_UNREADY_MS = 500;
const NODE_REPORT_MS = 300_000;
const GARBAGE_RETRY_MS = 5_000;
const TOKEN_TIMEOUT_MS = 10_000;
const IMAGE_GARBAGE_MS = 60_000;
/** A member that is there answers sooner; what it says is better than what the disk remembers. */
const RESTORE_AFTER_MS = 5_000;

export function createAgent(options: AgentOptions): Agent {
  return new AgentService(options);
}

interface PendingToken {
  readonly resolve: (token: Token) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

class AgentService implements Agent {
  readonly name = 'agent';
  readonly #options: AgentOptions;
  readonly #sessions: MemberSessions;
  readonly #events: PodEvents;
  readonly #checkpoints: Checkpoints;
  readonly #table: NodeObjectTable;
  readonly #part: Part;
  readonly #tokens = new Map<number, PendingToken>();
  #pods: PodManager | undefined;
  #nodeTimer: Timer | undefined;
  #restoreTimer: Timer | undefined;
  #garbageTimer: Timer | undefined;
  #allocatable: Quantities = {};
  #tokenId = 0;
  #podCIDR: string | undefined;
  #nodeObject: NodeObject | undefined;
  #metrics: AgentMetrics | undefined;
  #reported = '';
  #reported_ms = -Infinity;
  #checking = false;
  #stopped = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#checkpoints = options.checkpoints ?? noCheckpoints;
    this.#table = options.objects ?? NODE_OBJECTS;
    const { clock, random, logger, nodeName, memberEndpoints } = options;
    this.#part = options.part ?? new Containment({ clock, logger }).part('agent');
    this.#sessions = new MemberSessions({
      endpoints: memberEndpoints,
      nodeName,
      clock,
      random,
      logger,
      part: this.#part,
      version: options.version ?? AGENT_VERSION,
      credentials: () => credentialsOf(options.tls),
      resume: () => ({
        primary: true,
        revision: this.#pods?.revision ?? '0',
        known: this.#pods?.known() ?? [],
        kinds: { names: this.#table.kinds.map(({ resource }) => resource.kind) },
      }),
      onPrimary: () => {
        this.#reported = '';
        this.refresh();
        this.#pods?.repeat();
      },
      onAlone: () => this.#failTokens('no member is reachable'),
      onMessage: (message) => this.#receive(message),
      onTunnel: (message, client) =>
        serveTunnel(message, {
          client,
          logger,
          part: this.#part,
          open: (request, signal) =>
            openPodStream(
              request,
              {
                workers: this.#pods?.workers ?? new Map(),
                runtime: options.runtime,
                nodeIP: options.nodeIP,
                ...(options.serving === undefined ? {} : { serving: options.serving }),
              },
              signal,
            ),
        }),
    });
    this.#events = new PodEvents(clock, (value) => this.#sessions.send({ $case: 'eventReport', value }));
  }

  primary(): string | undefined {
    return this.#sessions.primaryEndpoint;
  }

  podCIDR(): string | undefined {
    return this.#podCIDR;
  }

  async health(): Promise<string | undefined> {
    if (this.#pods === undefined || this.#stopped) return 'the agent is not running';
    const info = await this.#options.runtime
      .info()
      .catch((error: unknown) => ({ ready: false, message: String(error) }));
    return info.ready ? undefined : `the container runtime is not ready: ${info.message}`;
  }

  /** Made when it is first asked for: thousands of agents in a process are not asked. */
  async metrics(): Promise<{ readonly contentType: string; readonly text: string }> {
    const { AgentMetrics: Metrics } = await import('./server/metrics.js');
    this.#metrics ??= new Metrics(() => ({
      runtime: this.#options.runtime.name,
      phases: this.#pods?.phases() ?? new Map<string, number>(),
      runningContainers: this.#pods?.runningContainers ?? 0,
      hasPrimary: this.#sessions.hasPrimary,
      events: this.#events.counts(),
      faults: this.#options.faults?.() ?? [],
    }));
    return this.#metrics.text();
  }

  async start(): Promise<void> {
    const options = this.#options;
    const { runtime, clock, random, logger, nodeName, nodeIP } = options;
    const machine = await this.#machine();
    const handlers = new Handlers(runtime, clock);
    await options.cgroups?.pods.limitNode(capacityOf(machine, options.capacity)).catch((error: unknown) => {
      logger.warn(
        { error: String(error) },
        'the limit of all pods together could not be set: what they take is limited for each of them only',
      );
    });
    this.#pods = new PodManager({
      part: this.#part,
      runtime,
      clock,
      random,
      logger,
      nodeName,
      hostIP: nodeIP,
      volumes: options.volumes ?? noVolumes,
      images: new Images(runtime),
      checkpoints: this.#checkpoints,
      table: this.#table,
      ...(options.cgroups === undefined ? {} : { cgroups: options.cgroups.pods }),
      logRoot: options.dataDir === undefined ? '/var/log/pods' : `${options.dataDir}/logs`,
      node: {
        clusterDNS: options.clusterDNS,
        clusterDomain: options.clusterDomain ?? 'cluster.local',
        hostDNS: await hostDns(),
        memoryCapacity_bytes: machine.memory_bytes,
        hostname: nodeName,
        ...(options.cgroups === undefined ? {} : { cgroupRoot: options.cgroups.root }),
      },
      allocatable: () => this.#allocatable,
      nodeObject: () => this.#nodeObject,
      requestToken: (key, need) => this.#requestToken(key, need),
      runHandler: (handler, container, record, podIP, timeout_s) =>
        handlers.run(handler, { container, record, podIP, timeout_s }),
      reportStatus: (key, status) => this.#reportStatus(key, status),
      reportTerminated: (key) => void this.#sessions.send({ $case: 'podTerminated', value: { ...key } }),
      event: (event) => this.#events.record(event),
    });
    this.#pods.start();
    this.#sessions.start();
    this.#checkNodeIn(0);
    this.#restoreTimer = clock.after(RESTORE_AFTER_MS, () => this.#restore());
    const { imageGarbage } = options;
    if (imageGarbage !== undefined)
      this.#garbageTimer = clock.every(IMAGE_GARBAGE_MS, () => this.#removeImages(imageGarbage));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#nodeTimer?.cancel();
    this.#restoreTimer?.cancel();
    this.#garbageTimer?.cancel();
    this.#failTokens('the agent stops');
    this.#sessions.stop();
    this.#pods?.stop();
    await this.#checkpoints.close();
    await this.#options.runtime.close();
  }

  refresh(): void {
    this.#checkNodeIn(0);
  }

  #receive(message: Downward): void {
    const pods = this.#pods;
    if (pods === undefined) return;
    switch (message.$case) {
      case 'podSpec':
        return pods.applyPod(parse<Pod>(message.value.pod), message.value.serviceEnvironment);
      case 'podGone':
        return pods.removePod(message.value.uid);
      case 'configObject':
        return this.#applyObject(pods, message.value, parse<KubeObject>(message.value.object));
      case 'configGone':
        return this.#applyObject(pods, message.value, undefined);
      case 'synced':
        return this.#collectGarbage();
      case 'tokenGrant':
        return this.#granted(message.value);
      case 'nodeSettings':
        this.#podCIDR = message.value.podCidrs[0];
        this.#nodeObject = nodeObjectOf(this.#options.nodeName, message.value.node) ?? this.#nodeObject;
        return this.refresh();
      default:
        return undefined;
    }
  }

  #applyObject(
    pods: PodManager,
    sent: WireKind & { readonly namespace: string; readonly name: string },
    object: KubeObject | undefined,
  ): void {
    const { namespace, name } = sent;
    const kind = kindOfWire(sent);
    if (kind !== undefined && nodeObjectKind(this.#table, kind) !== undefined)
      pods.applyObject({ kind, namespace, name }, object);
    else
      this.#options.logger.warn(
        { kind: kind ?? sent.kind, namespace, name },
        'a member sent an object of a kind that this worker does not take: it is left out',
      );
  }

  /** Never rejects. */
  async #removeImages(garbage: ImageGarbage): Promise<void> {
    const { runtime, logger } = this.#options;
    try {
      const [images, snapshot, machine] = await Promise.all([runtime.listImages(), runtime.list(), this.#machine()]);
      for (const image of garbage.choose({
        images,
        snapshot,
        disk_bytes: machine.disk_bytes,
        diskAvailable_bytes: machine.diskAvailable_bytes,
      })) {
        logger.info(
          { image: image.names[0] ?? image.id, size_bytes: image.size_bytes },
          'the disk fills up: an unused image goes',
        );
        await runtime.removeImage(image.id);
      }
    } catch (error) {
      logger.warn({ error: String(error) }, 'unused images could not be taken away');
    }
  }

  /** Until a member has spoken: adopts from disk as soon as there is no member that might. */
  async #restore(): Promise<void> {
    const pods = this.#pods;
    if (pods === undefined || pods.isSynced || this.#stopped) return;
    const found = await this.#checkpoints.load();
    if (this.#stopped || pods.isSynced) return;
    if (this.#sessions.hasPrimary) {
      this.#restoreTimer = this.#options.clock.after(RESTORE_AFTER_MS, () => this.#restore());
      return;
    }
    this.#options.logger.warn(
      { pods: found.pods.length },
      'no member can be reached: carrying on with the pods last known',
    );
    pods.restore(found);
  }

  /** Tried until the runtime answers: what is left over would otherwise stay for good. */
  #collectGarbage(): void {
    this.#pods?.synced().catch((error: unknown) => {
      this.#options.logger.error({ error: String(error) }, 'cleaning up after pods that are gone failed');
      if (!this.#stopped) this.#options.clock.after(GARBAGE_RETRY_MS, () => this.#collectGarbage());
    });
  }

  #reportStatus(key: PodKey, status: PodStatus): void {
    this.#sessions.send({ $case: 'podReport', value: { ...key, status: encodeJsonBytes(status) } });
  }

  #requestToken(key: PodKey, need: TokenNeed): Promise<Token> {
    const requestId = ++this.#tokenId;
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.after(TOKEN_TIMEOUT_MS, () => {
        this.#tokens.delete(requestId);
        reject(new Error('no member answered the request for a service account token'));
      });
      this.#tokens.set(requestId, { resolve, reject, timer });
      const sent = this.#sessions.send({
        $case: 'tokenAsk',
        value: {
          requestId,
          namespace: key.namespace,
          podName: key.name,
          podUid: key.uid,
          audience: need.audience,
          expirationS: need.expiration_s,
        },
      });
      if (!sent) this.#failTokens('no member is reachable');
    });
  }

  #granted(grant: TokenGrant): void {
    const pending = this.#tokens.get(grant.requestId);
    if (pending === undefined) return;
    this.#tokens.delete(grant.requestId);
    pending.timer.cancel();
    if (grant.error === '') pending.resolve({ token: grant.token, expires_ms: grant.expiresMs });
    else pending.reject(new Error(`no service account token: ${grant.error}`));
  }

  #failTokens(why: string): void {
    for (const pending of this.#tokens.values()) {
      pending.timer.cancel();
      pending.reject(new Error(`no service account token: ${why}`));
    }
    this.#tokens.clear();
  }

  #checkNodeIn(delay_ms: number): void {
    if (this.#stopped) return;
    this.#nodeTimer?.cancel();
    this.#nodeTimer = this.#options.clock.after(delay_ms, () => this.#checkNode());
  }

  async #checkNode(): Promise<void> {
    if (this.#checking) return this.#checkNodeIn(NODE_CHECK_UNREADY_MS);
    this.#checking = true;
    let ready = false;
    try {
      ready = await this.#reportNode();
    } catch (error) {
      this.#options.logger.warn({ error: String(error) }, 'the state of the node could not be read');
    } finally {
      this.#checking = false;
    }
    this.#checkNodeIn(ready ? NODE_CHECK_MS : NODE_CHECK_UNREADY_MS);
  }

  async #reportNode(): Promise<boolean> {
    const { runtime, nodeIP, networkReady, labels = {}, version = AGENT_VERSION, clock } = this.#options;
    const info = await runtime.info().catch((error: unknown) => ({
      version: `${runtime.name}://unknown`,
      ready: false,
      networkReady: false,
      message: String(error),
    }));
    const images = info.ready ? await runtime.listImages() : [];
    const machine = await this.#machine();
    const report = nodeReport({
      machine,
      capacity: capacityOf(machine, this.#options.capacity),
      runtime: info,
      images,
      nodeIP,
      version,
      networkReady: networkReady?.() ?? true,
      labels,
      faults: this.#options.faults?.() ?? [],
      now_ms: clock.now(),
    });
    this.#allocatable = report.status.allocatable ?? {};
    const text = encodeJson(report);
    const due = clock.monotonic() - this.#reported_ms >= NODE_REPORT_MS;
    if (
      (text !== this.#reported || due) &&
      this.#sessions.send({ $case: 'nodeReport', value: { node: Buffer.from(text) } })
    ) {
      this.#reported = text;
      this.#reported_ms = clock.monotonic();
    }
    return (
      report.status.conditions?.find((condition) => condition.type === 'Ready')?.status === 'True' &&
      this.#sessions.hasPrimary
    );
  }

  async #machine(): Promise<MachineFacts> {
    return { ...(await machineFacts(this.#options.nodeName, this.#options.dataDir)), ...this.#options.machine };
  }
}

function credentialsOf(tls: PemProvider | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, certificate, key } = tls();
  return credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(certificate));
}

/** Undefined from a member that does not send it. */
function nodeObjectOf(name: string, json: Uint8Array): NodeObject | undefined {
  return json.length === 0 ? undefined : { name, ...parse<Omit<NodeObject, 'name'>>(json) };
}

function parse<T>(json: Uint8Array): T {
  return parseJsonBytes(json) as T;
}
