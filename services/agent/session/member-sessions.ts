/**
 * Sessions with every member: one is primary (specs come down, status goes up), the others stand by, so that any member
 * can open tunnels. When the primary breaks, another takes over at once; nothing about pods depends on which it is.
 */
import type { ChannelCredentials } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Part } from '../../../platform/containment.js';
import type { Logger } from '../../../platform/log.js';
import type { Random } from '../../../platform/random.js';
import { MemberSession } from './member-session.js';
import type { Downward, Upward } from './member-session.js';
import type { NodeServiceClient } from '../../../proto/gen/navarch/node/v1/node.js';

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;
/** A primary that could not write for so long gives way, if another stands by. */
const MUTE_MS_MAX = 6_000;
const CHECK_MS = 1_000;

export interface MemberSessionsOptions {
  readonly endpoints: readonly string[];
  /** Asked at each connection: certificates rotate. */
  readonly credentials: () => ChannelCredentials;
  readonly nodeName: string;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A fault in what a session brings ends that session. */
  readonly part: Part;
  /** The first message to a new primary: what the worker holds. */
  resume(): Extract<Upward, { $case: 'role' }>['value'];
  /** There is a new primary: report everything again. */
  onPrimary(): void;
  /** The primary is gone, and no other is there. */
  onAlone(): void;
  /** From the primary only. */
  onMessage(message: Downward): void;
  /** From any member. */
  onTunnel(message: Extract<Downward, { $case: 'openTunnel' }>['value'], client: NodeServiceClient): void;
}

interface Member {
  session: MemberSession | undefined;
  retry: Timer | undefined;
  failures: number;
}

export class MemberSessions {
  readonly #options: MemberSessionsOptions;
  readonly #members = new Map<string, Member>();
  #primary: MemberSession | undefined;
  #check: Timer | undefined;
  #stopped = false;

  constructor(options: MemberSessionsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#check = this.#options.clock.every(CHECK_MS, () => this.#checkPrimary());
    this.setEndpoints(this.#options.endpoints);
  }

  stop(): void {
    this.#stopped = true;
    this.#check?.cancel();
    for (const member of this.#members.values()) {
      member.retry?.cancel();
      member.session?.end('the agent stops');
    }
    this.#members.clear();
  }

  get hasPrimary(): boolean {
    return this.#primary !== undefined;
  }

  get primaryEndpoint(): string | undefined {
    return this.#primary?.endpoint;
  }

  get endpoints(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** To the primary; false when there is none. */
  send(message: Upward): boolean {
    this.#primary?.send(message);
    return this.#primary !== undefined;
  }

  /** Members come and go. An empty list is taken for a mistake. */
  setEndpoints(endpoints: readonly string[]): void {
    if (this.#stopped || endpoints.length === 0) return;
    for (const endpoint of endpoints) {
      if (this.#members.has(endpoint)) continue;
      this.#members.set(endpoint, { session: undefined, retry: undefined, failures: 0 });
      this.#connect(endpoint);
    }
    for (const [endpoint, member] of this.#members) {
      if (endpoints.includes(endpoint)) continue;
      this.#members.delete(endpoint);
      member.retry?.cancel();
      member.session?.end('no longer a member');
    }
  }

  #connect(endpoint: string): void {
    const member = this.#members.get(endpoint);
    if (member === undefined || this.#stopped) return;
    const { clock, nodeName, version, part } = this.#options;
    const session: MemberSession = new MemberSession({
      endpoint,
      nodeName,
      version,
      clock,
      part,
      credentials: this.#options.credentials(),
      onReady: (welcome) => {
        member.failures = 0;
        this.#options.logger.info({ member: welcome.memberId, endpoint }, 'session with a member');
        if (this.#primary === undefined) this.#promote(session);
        this.setEndpoints(welcome.endpoints);
      },
      onMessage: (message) => this.#receive(session, message),
      onEnd: (why) => this.#ended(endpoint, session, why),
    });
    member.session = session;
  }

  #receive(session: MemberSession, message: Downward): void {
    if (message.$case === 'openTunnel') this.#options.onTunnel(message.value, session.client);
    else if (message.$case === 'memberList') this.setEndpoints(message.value.endpoints);
    else if (session === this.#primary) this.#options.onMessage(message);
  }

  #ended(endpoint: string, session: MemberSession, why: string): void {
    const member = this.#members.get(endpoint);
    if (member !== undefined && !this.#stopped) {
      member.session = undefined;
      const delay_ms = Math.min(RECONNECT_MS_MIN * 2 ** member.failures++, RECONNECT_MS_MAX);
      member.retry = this.#options.clock.after(delay_ms * (0.5 + this.#options.random.next() / 2), () =>
        this.#connect(endpoint),
      );
      if (member.failures === 1) this.#options.logger.warn({ endpoint, why }, 'the session with a member ended');
    }
    if (session !== this.#primary) return;
    this.#primary = undefined;
    if (!this.#stopped) this.#failOver();
  }

  #failOver(): void {
    const ready = this.#ready();
    const [first] = ready.toSorted((a, b) => a.mute_ms - b.mute_ms);
    if (first === undefined) this.#options.onAlone();
    else this.#promote(first);
  }

  #ready(): MemberSession[] {
    return [...this.#members.values()].flatMap(({ session }) => (session?.ready === true ? [session] : []));
  }

  #promote(session: MemberSession): void {
    this.#primary = session;
    session.send({ $case: 'role', value: this.#options.resume() });
    session.beat();
    this.#options.onPrimary();
  }

  #checkPrimary(): void {
    const primary = this.#primary;
    if (primary === undefined || primary.mute_ms < MUTE_MS_MAX) return;
    // Standbys do not write, so none of them is known to be able to: try them in turn.
    const others = this.#ready().filter((session) => session !== primary);
    const next = others[this.#options.random.int(Math.max(others.length, 1))];
    if (next === undefined) return;
    this.#options.logger.warn(
      { from: primary.endpoint, to: next.endpoint },
      'the member cannot write: another becomes primary',
    );
    primary.send({ $case: 'role', value: { primary: false, revision: '', known: [], kinds: undefined } });
    this.#promote(next);
  }
}
