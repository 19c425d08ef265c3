/**
 * The dashboard: a read-only page of a cluster for the person who runs it, on this machine alone.
 *
 * In: informers on a Client (nodes, pods, deployments, events) and a function that asks the members how they are.
 * Out: one HTML page with its style and script, and server-sent events that carry the whole state as a small JSON
 * document, at most every 250 ms and only when it changed. Whoever holds the address with its random key may read.
 * It must never listen on another address than 127.0.0.1, answer anything without the key, write to the cluster, load
 * anything from elsewhere, or show secrets: it reads no resource that holds any.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { deployments, events, nodes, pods } from '../../apimachinery/gen/resources.js';
import type { KubeObject } from '../../apimachinery/object.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { Coalesced } from '../../platform/coalesced.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import { toTime } from '../../platform/clock.js';
import type { Client } from '../../sdk/client.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import type { Informer } from '../../sdk/informer/informer.js';
import { Audience } from './audience.js';
import { Gate, SECURITY_HEADERS } from './gate.js';
import { snapshotOf, type MemberRow } from './snapshot.js';

export type { MemberRow } from './snapshot.js';

export interface DashboardOptions {
  readonly client: Client;
  /** Asked every 2 s while a page is open; one question at a time. What it rejects with is shown. */
  members(): Promise<readonly MemberRow[]>;
  readonly clock: Clock;
  /** For the access key: must be unpredictable. */
  readonly random: Random;
  readonly logger: Logger;
  /** 0 or absent: any free one. */
  readonly port?: number;
}

export interface Dashboard extends Service {
  /** With the access key: a secret. Once started. */
  readonly url: string;
}

const ADDRESS = '127.0.0.1';
const KEY_BYTES = 24;
const DEBOUNCE_MS = 250;
const MEMBERS_INTERVAL_MS = 2_000;
const PAGES_MAX = 16;
const CONNECTIONS_MAX = 64;
const REQUEST_MS_MAX = 10_000;

const FILES: ReadonlyMap<string, { readonly file: string; readonly type: string }> = new Map([
  ['', { file: 'index.html', type: 'text/html; charset=utf-8' }],
  ['style.css', { file: 'style.css', type: 'text/css; charset=utf-8' }],
  ['app.js', { file: 'app.js', type: 'text/javascript; charset=utf-8' }],
]);

export function createDashboard(options: DashboardOptions): Dashboard {
  return new DashboardServer(options);
}

class DashboardServer implements Dashboard {
  readonly name = 'dashboard';
  readonly #options: DashboardOptions;
  readonly #key: string;
  readonly #gate: Gate;
  readonly #server: Server;
  readonly #audience: Audience;
  readonly #informers: InformerFactory;
  readonly #sources;
  readonly #files = new Map<string, Buffer>();
  #members: readonly MemberRow[] = [];
  #membersError = '';
  readonly #questions = new Coalesced({
    run: () => this.#askMembersNow(),
    onFailure: (error) => {
      this.#membersError = error instanceof Error ? error.message : String(error);
      this.#changed();
    },
  });
  #sent = '';
  #due: Timer | undefined;
  #asks: Timer | undefined;

  constructor(options: DashboardOptions) {
    const { clock, random } = options;
    this.#options = options;
    this.#key = random.bytes(KEY_BYTES).toString('base64url');
    this.#gate = new Gate(this.#key);
    this.#audience = new Audience({ clock, pages_max: PAGES_MAX });
    this.#informers = new InformerFactory(options);
    this.#sources = {
      nodes: this.#follow(this.#informers.informer(nodes)),
      pods: this.#follow(this.#informers.informer(pods)),
      deployments: this.#follow(this.#informers.informer(deployments)),
      events: this.#follow(this.#informers.informer(events)),
    };
    this.#server = createServer(
      { headersTimeout: REQUEST_MS_MAX, requestTimeout: REQUEST_MS_MAX, maxHeaderSize: 8 << 10 },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  get url(): string {
    return `http://${ADDRESS}:${this.#port}/${this.#key}/`;
  }

  get #port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async start(): Promise<void> {
    for (const [name, { file }] of FILES)
      this.#files.set(name, await readFile(new URL(`./public/${file}`, import.meta.url)));
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port ?? 0, ADDRESS, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#options.logger.warn({ error }, "the dashboard's listener failed"));
        resolve();
      });
    });
    await this.#informers.start();
    // An empty resource tells no handler that its first list is there.
    this.#informers.whenSynced().then(
      () => this.#changed(),
      () => undefined,
    );
    this.#asks = this.#options.clock.every(MEMBERS_INTERVAL_MS, () => this.#askMembers());
  }

  async stop(): Promise<void> {
    this.#asks?.cancel();
    this.#due?.cancel();
    this.#audience.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
    await this.#informers.stop();
  }

  #follow<T extends KubeObject>(informer: Informer<T>): Informer<T> {
    const changed = () => this.#changed();
    informer.addHandler({ add: changed, update: changed, delete: changed });
    return informer;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const verdict = this.#gate.judge(
      { method: request.method, url: request.url, host: request.headers.host },
      this.#port,
    );
    switch (verdict.kind) {
      case 'refuse':
        if (verdict.code === 405) response.setHeader('allow', 'GET');
        // The body, if there is one, is not read: nothing more can come on this connection.
        reply(response.setHeader('connection', 'close'), verdict.code, verdict.text);
        return;
      case 'redirect':
        response.writeHead(308, { location: verdict.location }).end();
        return;
      case 'serve':
        this.#serve(verdict.name, response);
        return;
      default:
        verdict satisfies never;
    }
  }

  #serve(name: string, response: ServerResponse): void {
    if (name === 'events') {
      this.#admit(response);
      return;
    }
    const content = this.#files.get(name);
    const type = FILES.get(name)?.type;
    if (content === undefined || type === undefined) reply(response, 404, 'no such page\n');
    else response.writeHead(200, { 'content-type': type, 'content-length': content.length }).end(content);
  }

  #admit(response: ServerResponse): void {
    if (this.#audience.isFull) {
      reply(response.setHeader('retry-after', '10'), 503, `${PAGES_MAX} pages are open already; close one\n`);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    this.#audience.admit(response);
    this.#publish(response);
    this.#askMembers();
  }

  /** One question at a time: a member that is slow to answer must not gather questions. */
  #askMembers(): void {
    if (this.#audience.size > 0) this.#questions.request();
  }

  async #askMembersNow(): Promise<void> {
    this.#members = await this.#options.members();
    this.#membersError = '';
    this.#changed();
  }

  /** Many changes in a row make one message. */
  #changed(): void {
    if (this.#due !== undefined || this.#audience.size === 0) return;
    this.#due = this.#options.clock.after(DEBOUNCE_MS, () => {
      this.#due = undefined;
      if (this.#audience.size > 0) this.#publish();
    });
  }

  /** To every page when the state is new, else to the newcomer alone: all pages always hold `#sent`. */
  #publish(newcomer?: ServerResponse): void {
    const state = this.#state();
    if (state !== this.#sent) this.#audience.send(this.#message(state));
    else if (newcomer !== undefined) this.#audience.send(this.#message(state), newcomer);
    this.#sent = state;
  }

  #state(): string {
    const { nodes: nodeSource, pods: podSource, deployments: deploymentSource, events: eventSource } = this.#sources;
    return JSON.stringify(
      snapshotOf({
        synced: Object.values(this.#sources).every((source) => source.hasSynced),
        members: this.#members,
        membersError: this.#membersError,
        nodes: nodeSource.lister.list(),
        pods: podSource.lister.list(),
        deployments: deploymentSource.lister.list(),
        events: eventSource.lister.list(),
      }),
    );
  }

  /** The stamp is apart from the state: it alone makes no message, and the page counts ages from it. */
  #message(state: string): string {
    return `{"now":"${toTime(this.#options.clock.now())}","state":${state}}`;
  }
}

function reply(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}
