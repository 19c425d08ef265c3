/**
 * One worker's session with this member. What the worker reports is written in the order in which it came, pod by pod
 * the newest only; heartbeats renew the node's Lease. Only a primary session gets specs and may write.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Node } from '../../apimachinery/gen/types.js';
import { nodes, pods } from '../../apimachinery/gen/resources.js';
import { isApiError } from '../../apimachinery/status.js';
import type { Clock } from '../../platform/clock.js';
import type { Part } from '../../platform/containment.js';
import type { Logger } from '../../platform/log.js';
import type { Client } from '../../sdk/client.js';
import type {
  OpenTunnel,
  Role,
  SessionRequest,
  SessionResponse,
  TokenAsk,
} from '../../proto/gen/navarch/node/v1/node.js';
import { Backlog, readNodeReport, readPodStatus, ReportError, type PodEntry, type Waiting } from './backlog.js';
import type { Catalog } from './catalog.js';
import { Downstream } from './downstream.js';
import { writeEvent } from './event-writer.js';
import { NodeWriter } from './node-writer.js';
import { PodWriter } from './pod-writer.js';
import { TokenQueue } from './token-queue.js';

export type SessionCall = ServerDuplexStream<SessionRequest, SessionResponse>;

export interface SessionOptions {
  readonly node: string;
  /** Digest of the key that the worker's certificate is over. */
  readonly key: string | undefined;
  readonly call: SessionCall;
  readonly client: Client;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Its fault ends the session: the worker makes a new one and resumes. */
  readonly part: Part;
  readonly leaseRenewal_ms: number;
  readonly welcome: { readonly memberId: string; readonly endpoints: readonly string[] };
}

const RENEWAL_MS_MAX = 4_000;
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 404, 413, 422]);
const RETRY_MS = 1000;
const CATCH_UP_POLL_MS = 20;
/** Bytes that may wait in the stream: a worker that takes nothing is cut off and resumes. */
const BUFFERED_BYTES_MAX = 64 << 20;
/** Of one message beside the objects in it. */
const MESSAGE_BYTES = 512;

export class NodeSession {
  readonly node: string;
  readonly #options: SessionOptions;
  readonly #pods: PodWriter;
  readonly #nodes: NodeWriter;
  readonly #closed = new AbortController();
  readonly #backlog = new Backlog();
  readonly #tokens = new TokenQueue<TokenAsk>((ask) => this.#grant(ask));
  #downstream: Downstream | undefined;
  /** Bytes that the stream has not taken yet. */
  #unsent_bytes = 0;
  #primary = false;
  #leaseRenewed_ms = -Infinity;
  #renewing = false;
  #renewalBegun_ms = 0;
  #writesWork = true;
  #pumping = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.node = options.node;
    this.#pods = new PodWriter(options.client, options.catalog, options.node);
    this.#nodes = new NodeWriter(options.client, options.clock, { name: options.node, key: options.key });
    this.#send({
      $case: 'welcome',
      value: { memberId: options.welcome.memberId, endpoints: [...options.welcome.endpoints] },
    });
  }

  receive(message: SessionRequest['message']): void {
    switch (message?.$case) {
      case 'heartbeat':
        this.#send({
          $case: 'heartbeatAck',
          value: { sequence: message.value.sequence, writesWork: this.#canWrite() },
        });
        return this.#renewLease();
      case 'role':
        return void this.#setRole(message.value).catch((error: unknown) => this.#fail(error));
      case 'nodeReport':
        this.#backlog.node(message.value.node);
        return this.#pump();
      case 'podReport':
        this.#backlog.pod(message.value);
        return this.#pump();
      case 'podTerminated':
        this.#backlog.podEnded(message.value);
        return this.#pump();
      case 'eventReport':
        this.#backlog.event(message.value);
        return this.#pump();
      case 'tokenAsk':
        if (!this.#tokens.add(message.value))
          this.#refuseToken(message.value.requestId, 'too many requests for tokens wait already; ask again later');
        return undefined;
      default:
        return undefined;
    }
  }

  openTunnel(message: OpenTunnel): void {
    this.#send({ $case: 'openTunnel', value: message });
  }

  members(endpoints: readonly string[]): void {
    this.#send({ $case: 'memberList', value: { endpoints: [...endpoints] } });
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new Error('the session has ended'));
    this.#downstream?.close();
    this.#backlog.clear();
    this.#tokens.clear();
    this.#options.call.end();
  }

  async #setRole(role: Role): Promise<void> {
    this.#downstream?.close();
    this.#downstream = undefined;
    this.#primary = role.primary;
    if (!role.primary) return;
    this.#leaseRenewed_ms = -Infinity;
    this.#renewLease();
    const { catalog, clock, part } = this.#options;
    const downstream = new Downstream({
      node: this.node,
      catalog,
      part,
      send: (message) => this.#send(message),
      freshNode: () => this.#freshNode(),
    });
    this.#downstream = downstream;
    const wanted = /^\d+$/.test(role.revision) ? BigInt(role.revision) : 0n;
    await catalog.whenSynced(this.#closed.signal);
    let reachable: bigint | undefined;
    while (BigInt(catalog.revision) < (reachable ?? wanted)) {
      reachable ??= await this.#reachable(wanted).catch(() => undefined);
      await clock.sleep(CATCH_UP_POLL_MS, this.#closed.signal);
    }
    if (this.#downstream === downstream) downstream.open(role.known, role.kinds?.names);
    this.#pump();
  }

  async #freshNode(): Promise<Node | undefined> {
    return this.#options.client
      .get<Node>(nodes, { name: this.node }, { signal: this.#closed.signal })
      .catch(() => undefined);
  }

  /**
   * A worker may have seen what a cluster restored from a backup has not: then what the API holds now is all there is
   * to wait for.
   */
  async #reachable(wanted: bigint): Promise<bigint> {
    const { metadata } = await this.#options.client.list(pods, { limit: 1, signal: this.#closed.signal });
    const newest = /^\d+$/.test(metadata.resourceVersion ?? '') ? BigInt(metadata.resourceVersion ?? '0') : wanted;
    return newest < wanted ? newest : wanted;
  }

  /** A renewal that hangs says as much as one that fails: this member has no quorum. */
  #canWrite(): boolean {
    const hangs = this.#renewing && this.#options.clock.monotonic() - this.#renewalBegun_ms > RENEWAL_MS_MAX;
    return this.#writesWork && !hangs;
  }

  #renewLease(): void {
    const { clock, logger, leaseRenewal_ms } = this.#options;
    if (!this.#primary || this.#renewing || clock.monotonic() - this.#leaseRenewed_ms < leaseRenewal_ms) return;
    this.#renewing = true;
    const begun_ms = clock.monotonic();
    this.#renewalBegun_ms = begun_ms;
    void this.#nodes
      .renewLease()
      .then(
        () => {
          this.#leaseRenewed_ms = begun_ms;
          this.#writesWork = true;
          this.#contradict();
        },
        (error: unknown) => {
          this.#writesWork = false;
          logger.warn({ node: this.node, error: String(error) }, 'the lease of a node could not be renewed');
        },
      )
      .finally(() => {
        this.#renewing = false;
      });
  }

  /**
   * A node that was found silent and lives says so: its worker sends a report only when something of its own changes.
   */
  #contradict(): void {
    if (!this.#options.catalog.isTakenForDead(this.node)) return;
    this.#backlog.nodeAgain();
    this.#pump();
  }

  /** Writes what is waiting, one after the other, until nothing is left. */
  #pump(): void {
    if (this.#pumping || !this.#primary) return;
    this.#pumping = true;
    void this.#write()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#pumping = false;
      });
  }

  async #write(): Promise<void> {
    while (this.#primary && !this.#closed.signal.aborted) {
      const next = this.#backlog.take();
      if (next === undefined) return;
      try {
        await this.#writeOne(next);
      } catch (error) {
        this.#options.logger.warn(
          { node: this.node, what: nameOf(next), error: String(error) },
          'a report of a node could not be written',
        );
        // What the API refuses for its content will be refused again: the next report may be better, and others wait.
        if (error instanceof ReportError || (isApiError(error) && REFUSALS.has(error.code))) continue;
        this.#backlog.again(next);
        await this.#options.clock.sleep(RETRY_MS, this.#closed.signal);
      }
    }
  }

  #writeOne(waiting: Waiting): Promise<void> {
    switch (waiting.kind) {
      case 'node':
        return this.#nodes.writeNode(readNodeReport(waiting.report));
      case 'pod':
        return this.#writePod(waiting.entry);
      case 'event':
        return writeEvent(this.#options.client, this.node, waiting.event);
    }
  }

  async #writePod({ ref, status, ended }: PodEntry): Promise<void> {
    if (status.length > 0) await this.#pods.writeStatus(ref, readPodStatus(status));
    if (ended) await this.#pods.remove(ref);
  }

  async #grant(ask: TokenAsk): Promise<void> {
    const ref = { namespace: ask.namespace, name: ask.podName, uid: ask.podUid };
    const { requestId } = ask;
    try {
      const { token, expires_ms } = await this.#pods.token(ref, ask.audience, ask.expirationS);
      this.#send({ $case: 'tokenGrant', value: { requestId, token, expiresMs: expires_ms, error: '' } });
    } catch (error) {
      this.#refuseToken(requestId, error instanceof Error ? error.message : String(error));
    }
  }

  #refuseToken(requestId: TokenAsk['requestId'], error: string): void {
    this.#send({ $case: 'tokenGrant', value: { requestId, token: '', expiresMs: 0, error } });
  }

  #send(message: NonNullable<SessionResponse['message']>): void {
    if (this.#closed.signal.aborted) return;
    const size = sizeOf(message);
    this.#unsent_bytes += size;
    this.#options.call.write({ message }, () => {
      this.#unsent_bytes -= size;
    });
    if (this.#unsent_bytes > BUFFERED_BYTES_MAX) this.#fail(new Error('the worker takes nothing'));
  }

  #fail(error: unknown): void {
    if (this.#closed.signal.aborted) return;
    this.#options.logger.warn({ node: this.node, error: String(error) }, 'a session was closed');
    this.close();
  }
}

function sizeOf(message: NonNullable<SessionResponse['message']>): number {
  switch (message.$case) {
    case 'podSpec':
      return message.value.pod.length + MESSAGE_BYTES;
    case 'configObject':
      return message.value.object.length + MESSAGE_BYTES;
    default:
      return MESSAGE_BYTES;
  }
}

const nameOf = (waiting: Waiting) =>
  waiting.kind === 'pod' ? `pod ${waiting.entry.ref.namespace}/${waiting.entry.ref.name}` : waiting.kind;
