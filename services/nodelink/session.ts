/**
 * One worker's session with this member. What the worker reports is written in the order in which it came, pod by pod
 * the newest only; heartbeats renew the node's Lease. Only a primary session gets specs and may write.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { parseJsonBytes } from '../../apimachinery/json-value.js';
import type { Node, PodStatus } from '../../apimachinery/gen/types.js';
import { nodes, pods } from '../../apimachinery/gen/resources.js';
import { isApiError } from '../../apimachinery/status.js';
import type { Clock } from '../../platform/clock.js';
import type { Part } from '../../platform/containment.js';
import type { Logger } from '../../platform/log.js';
import type { Client } from '../../sdk/client.js';
import type { EventReport, OpenTunnel, PodReport, Role, SessionRequest, SessionResponse, TokenAsk } from '../../proto/gen/navarch/node/v1/node.js';
import type { Catalog } from './catalog.js';
import { Downstream } from './downstream.js';
import { writeEvent } from './event-writer.js';
import { NodeWriter } from './node-writer.js';
import type { NodeReport } from './node-writer.js';
import { PodWriter } from './pod-writer.js';

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
/** Events of a node that may wait to be written; more are dropped, as kubelet does. */
const EVENTS_MAX = 500;

export class NodeSession {
  readonly node: string;
  readonly #options: SessionOptions;
  readonly #pods: PodWriter;
  readonly #nodes: NodeWriter;
  readonly #closed = new AbortController();
  readonly #statuses = new Map<string, { report: PodReport; ended: boolean }>();
  readonly #events: EventReport[] = [];
  #downstream: Downstream | undefined;
  /** Waiting to be written. */
  #report: NodeReport | undefined;
  #lastReport: NodeReport | undefined;
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
    this.#send({ $case: 'welcome', value: { memberId: options.welcome.memberId, endpoints: [...options.welcome.endpoints] } });
  }

  receive(message: SessionRequest['message']): void {
    switch (message?.$case) {
      case 'heartbeat':
        this.#send({ $case: 'heartbeatAck', value: { sequence: message.value.sequence, writesWork: this.#canWrite() } });
        return this.#renewLease();
      case 'role': return void this.#setRole(message.value).catch((error: unknown) => this.#fail(error));
      case 'nodeReport':
        this.#report = parse<NodeReport>(message.value.node);
        this.#lastReport = this.#report;
        return this.#pump();
      case 'podReport':
        this.#statuses.set(message.value.uid, { report: message.value, ended: this.#statuses.get(message.value.uid)?.ended ?? false });
        return this.#pump();
      case 'podTerminated': return this.#terminated(message.value);
      case 'eventReport':
        if (this.#events.length < EVENTS_MAX) this.#events.push(message.value);
        return this.#pump();
      case 'tokenAsk': return void this.#grant(message.value);
      default: return undefined;
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
      node: this.node, catalog, part, send: (message) => this.#send(message), freshNode: () => this.#freshNode(),
    });
    this.#downstream = downstream;
    const wanted = /^\d+$/.test(role.revision) ? BigInt(role.revision) : 0n;
    await catalog.whenSynced(this.#closed.signal);
    let reachable: bigint | undefined;
    while (BigInt(catalog.revision) < (reachable ?? wanted)) {
      reachable ??= await this.#reachable(wanted).catch(() => undefined);
      await clock.sleep(CATCH_UP_POLL_MS, this.#closed.signal);
    }
    if (this.#downstream === downstream) downstream.open(role.known);
    this.#pump();
  }

  async #freshNode(): Promise<Node | undefined> {
    return this.#options.client.get<Node>(nodes, { name: this.node }, { signal: this.#closed.signal }).catch(() => undefined);
  }

  /** A worker may have seen what a cluster restored from a backup has not: then what the API holds now is all there is to wait for. */
  async #reachable(wanted: bigint): Promise<bigint> {
    const { metadata } = await this.#options.client.list(pods, { limit: 1, signal: this.#closed.signal });
    const newest = /^\d+$/.test(metadata.resourceVersion ?? '') ? BigInt(metadata.resourceVersion ?? '0') : wanted;
    return newest < wanted ? newest : wanted;
  }

  #terminated(ref: { namespace: string; name: string; uid: string }): void {
    const waiting = this.#statuses.get(ref.uid);
    this.#statuses.set(ref.uid, { report: waiting?.report ?? { ...ref, status: Buffer.alloc(0) }, ended: true });
    this.#pump();
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
    void this.#nodes.renewLease().then(() => {
      this.#leaseRenewed_ms = begun_ms;
      this.#writesWork = true;
      this.#contradict();
    }, (error: unknown) => {
      this.#writesWork = false;
      logger.warn({ node: this.node, error: String(error) }, 'the lease of a node could not be renewed');
    }).finally(() => { this.#renewing = false; });
  }

  /** A node that was found silent and lives says so: its worker sends a report only when something of its own changes. */
  #contradict(): void {
    if (!this.#options.catalog.isTakenForDead(this.node)) return;
    this.#report ??= this.#lastReport;
    this.#pump();
  }

  /** Writes what is waiting, one after the other, until nothing is left. */
  #pump(): void {
    if (this.#pumping || !this.#primary) return;
    this.#pumping = true;
    void this.#write().catch((error: unknown) => this.#fail(error)).finally(() => { this.#pumping = false; });
  }

  async #write(): Promise<void> {
    while (this.#primary && !this.#closed.signal.aborted) {
      const next = this.#next();
      if (next === undefined) return;
      try {
        await next.run();
      } catch (error) {
        this.#options.logger.warn({ node: this.node, what: next.what, error: String(error) }, 'a report of a node could not be written');
        // What the API refuses for what it says will be refused again: the next report may be better, and others wait.
        if (isApiError(error) && REFUSALS.has(error.code)) continue;
        next.again();
        await this.#options.clock.sleep(RETRY_MS, this.#closed.signal);
      }
    }
  }

  #next(): { what: string; run(): Promise<void>; again(): void } | undefined {
    const report = this.#report;
    if (report !== undefined) {
      this.#report = undefined;
      return { what: 'node', run: () => this.#nodes.writeNode(report), again: () => { this.#report ??= report; } };
    }
    const [entry] = this.#statuses;
    if (entry !== undefined) {
      const [uid, waiting] = entry;
      this.#statuses.delete(uid);
      return {
        what: `pod ${waiting.report.namespace}/${waiting.report.name}`,
        run: () => this.#writePod(waiting),
        again: () => {
          const newer = this.#statuses.get(uid);
          this.#statuses.set(uid, newer === undefined ? waiting : { report: newer.report, ended: newer.ended || waiting.ended });
        },
      };
    }
    const event = this.#events.shift();
    // An Event that cannot be written is not worth holding up statuses for.
    return event === undefined ? undefined : { what: 'event', run: () => writeEvent(this.#options.client, this.node, event), again: () => undefined };
  }

  async #writePod({ report, ended }: { report: PodReport; ended: boolean }): Promise<void> {
    if (report.status.length > 0) await this.#pods.writeStatus(report, parse<PodStatus>(report.status));
    if (ended) await this.#pods.remove(report);
  }

  async #grant(ask: TokenAsk): Promise<void> {
    const ref = { namespace: ask.namespace, name: ask.podName, uid: ask.podUid };
    const { requestId } = ask;
    try {
      const { token, expires_ms } = await this.#pods.token(ref, ask.audience, ask.expirationS);
      this.#send({ $case: 'tokenGrant', value: { requestId, token, expiresMs: expires_ms, error: '' } });
    } catch (error) {
      this.#send({ $case: 'tokenGrant', value: { requestId, token: '', expiresMs: 0, error: error instanceof Error ? error.message : String(error) } });
    }
  }

  #send(message: NonNullable<SessionResponse['message']>): void {
    if (this.#closed.signal.aborted) return;
    this.#options.call.write({ message });
    if (this.#options.call.writableLength > BUFFERED_BYTES_MAX) this.#fail(new Error('the worker takes nothing'));
  }

  #fail(error: unknown): void {
    if (this.#closed.signal.aborted) return;
    this.#options.logger.warn({ node: this.node, error: String(error) }, 'a session was closed');
    this.close();
  }
}

function parse<T>(json: Uint8Array): T {
  return parseJsonBytes(json) as T;
}
