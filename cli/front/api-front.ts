/**
 * One address for the API of several members: takes TCP connections and passes them on, as they are, to a member that
 * is well. TLS is the client's and the member's: nothing is decrypted here. Connections to a member that dies or falls
 * silent are cut at once, so that clients come again and reach another.
 */
import { Agent, get } from 'node:https';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import { ConnectionGate } from '../../platform/net/connection-gate.js';
import type { Service } from '../../platform/service.js';
import { TargetTable, type Sight, type Target } from './target-table.js';

export interface ApiFrontOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly targets: readonly Target[];
  /** PEM, of the members' certificates. */
  readonly ca: string;
  /** How often each member is looked at, and how long its answer may take; a second and two when absent. */
  readonly pace?: { readonly look_ms: number; readonly answer_ms: number };
  readonly clock: Clock;
  readonly logger: Logger;
}

const PACE = { look_ms: 1_000, answer_ms: 2_000 };
const DIAL_MS_MAX = 1_000;
/** A client waits for so long while no member can be reached: all may be starting. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 50;
/** A member takes 2,000 connections of one address. */
const CONNECTIONS = { total: 2_000, perAddress: 2_000 };

export class ApiFront implements Service {
  readonly name = 'front';
  readonly #options: ApiFrontOptions;
  readonly #table: TargetTable;
  readonly #gate = new ConnectionGate(CONNECTIONS);
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #clients = new Set<Socket>();
  readonly #upstreams = new Map<Socket, Target>();
  readonly #looking = new Set<Target>();
  #timer: Timer | undefined;

  constructor(options: ApiFrontOptions) {
    this.#options = options;
    this.#table = new TargetTable(options.targets);
    // One connection to each member stays open: its end says at once that the member is gone.
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ca: options.ca });
    this.#server = createServer(
      { pauseOnConnect: true, allowHalfOpen: true, noDelay: true },
      (client) => void this.#serve(client),
    );
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', (error) =>
      this.#options.logger.error({ error: String(error) }, "the front's listener failed"),
    );
    const lookAtAll = () => this.#table.targets.forEach((target) => this.#look(target));
    lookAtAll();
    this.#timer = this.#options.clock.every((this.#options.pace ?? PACE).look_ms, lookAtAll);
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#agent.destroy();
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of [...this.#clients, ...this.#upstreams.keys()]) socket.destroy();
    return closed;
  }

  #look(target: Target): void {
    if (this.#looking.has(target)) return;
    this.#looking.add(target);
    void this.#sightOf(target).then((sight) => {
      this.#looking.delete(target);
      this.#saw(target, sight);
    });
  }

  #sightOf({ host, port }: Target): Promise<Sight> {
    return new Promise((resolve) => {
      const request = get(
        { host, port, path: '/readyz', agent: this.#agent, timeout: (this.#options.pace ?? PACE).answer_ms },
        (response) => {
          response.resume();
          resolve(response.statusCode === 200 ? 'well' : 'silent');
        },
      );
      request.on('timeout', () => {
        resolve('silent');
        request.destroy();
      });
      request.on('error', () => resolve('refused'));
    });
  }

  #saw(target: Target, sight: Sight): void {
    this.#table.saw(target, sight);
    if (!this.#table.isToBeLeft(target)) return;
    const left = [...this.#upstreams].filter(([, at]) => at === target);
    if (left.length > 0)
      this.#options.logger.info(
        { member: target.name, connections: left.length },
        'a member is gone or not ready; its connections are cut',
      );
    for (const [upstream] of left) upstream.destroy();
  }

  async #serve(client: Socket): Promise<void> {
    if (!this.#gate.admit(client)) return;
    this.#clients.add(client);
    client.on('error', () => client.destroy());
    client.once('close', () => this.#clients.delete(client));
    const found = await this.#reach(client);
    if (found === undefined) client.destroy();
    else this.#join(client, found);
  }

  /** Undefined: no member could be reached in time, or the client has gone. */
  async #reach(client: Socket): Promise<{ readonly upstream: Socket; readonly target: Target } | undefined> {
    const { clock } = this.#options;
    const until_ms = clock.monotonic() + PATIENCE_MS;
    while (!client.destroyed && clock.monotonic() < until_ms) {
      for (const target of this.#table.order()) {
        const upstream = await this.#dial(target);
        if (upstream !== undefined) return { upstream, target };
        this.#saw(target, 'refused');
        if (client.destroyed) return undefined;
      }
      await clock.sleep(RETRY_MS);
    }
    return undefined;
  }

  #dial({ host, port }: Target): Promise<Socket | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
      const timer = this.#options.clock.after(DIAL_MS_MAX, () => socket.destroy());
      socket.once('connect', () => {
        timer.cancel();
        resolve(socket);
      });
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        timer.cancel();
        resolve(undefined);
      });
    });
  }

  #join(client: Socket, { upstream, target }: { readonly upstream: Socket; readonly target: Target }): void {
    if (client.destroyed) {
      upstream.destroy();
      return;
    }
    this.#upstreams.set(upstream, target);
    this.#table.opened(target);
    upstream.once('error', () => this.#look(target));
    upstream.once('close', () => {
      this.#upstreams.delete(upstream);
      this.#table.closed(target);
      client.destroySoon();
    });
    client.once('close', () => upstream.destroySoon());
    client.pipe(upstream);
    upstream.pipe(client);
  }
}
