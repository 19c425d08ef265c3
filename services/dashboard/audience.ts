/**
 * The pages that are open: server-sent events to each, and a bound on their number. A message is the whole state, so a
 * page that reads slowly is owed the newest one only; a page that reads nothing at all between two heartbeats is let
 * go.
 */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../platform/clock.js';

const HEARTBEAT_MS = 15_000;

interface Page {
  readonly response: ServerResponse;
  /** The newest message that did not go out yet, because the page has not read the one before. */
  owed: string | undefined;
  /** The last write has not been taken by the socket. */
  full: boolean;
  /** It was already full at the last heartbeat. */
  stuck: boolean;
}

export class Audience {
  readonly #pages = new Set<Page>();
  readonly #pages_max: number;
  readonly #heartbeat: Timer;

  constructor(options: { readonly clock: Clock; readonly pages_max: number }) {
    this.#pages_max = options.pages_max;
    this.#heartbeat = options.clock.every(HEARTBEAT_MS, () => this.#beat());
  }

  get size(): number {
    return this.#pages.size;
  }

  get isFull(): boolean {
    return this.#pages.size >= this.#pages_max;
  }

  /** Takes over a response whose head is written, until its page goes away. */
  admit(response: ServerResponse): void {
    const page: Page = { response, owed: undefined, full: false, stuck: false };
    this.#pages.add(page);
    response.on('close', () => this.#pages.delete(page));
    response.on('error', () => response.destroy());
    response.on('drain', () => {
      page.full = false;
      page.stuck = false;
      const { owed } = page;
      page.owed = undefined;
      if (owed !== undefined) write(page, owed);
    });
    // Browsers wait this long before they come back, in milliseconds.
    write(page, 'retry: 2000\n\n');
  }

  /** `json` on one line, as JSON.stringify writes it. */
  send(json: string, to?: ServerResponse): void {
    const message = `data: ${json}\n\n`;
    for (const page of this.#pages) {
      if (to !== undefined && page.response !== to) continue;
      if (page.full) page.owed = message;
      else write(page, message);
    }
  }

  close(): void {
    this.#heartbeat.cancel();
    for (const page of this.#pages) page.response.end();
    this.#pages.clear();
  }

  #beat(): void {
    for (const page of this.#pages) {
      if (page.stuck) page.response.destroy();
      else if (page.full) page.stuck = true;
      else write(page, ': still here\n\n');
    }
  }
}

function write(page: Page, text: string): void {
  page.full = !page.response.write(text);
}
