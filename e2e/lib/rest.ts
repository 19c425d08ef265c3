/** Bare HTTPS requests to an API server: what no well-behaved client would send. */
import { request } from 'node:https';
import type { Status } from '../../apimachinery/status.js';

export interface RestCredentials {
  readonly ca: string;
  readonly certificate?: string;
  readonly privateKey?: string;
  readonly token?: string;
}

export interface RestAnswer {
  readonly code: number;
  readonly text: string;
  /** The body, where it is a Status. */
  readonly status: Partial<Status>;
}

const ANSWER_MS_MAX = 20_000;

export class Rest {
  readonly #server: string;
  readonly #credentials: RestCredentials;

  constructor(server: string, credentials: RestCredentials) {
    this.#server = server;
    this.#credentials = credentials;
  }

  get(path: string): Promise<RestAnswer> {
    return this.send('GET', path);
  }

  post(path: string, body: unknown): Promise<RestAnswer> {
    return this.send('POST', path, { body: JSON.stringify(body) });
  }

  send(
    method: string,
    path: string,
    options: { readonly body?: string; readonly contentType?: string } = {},
  ): Promise<RestAnswer> {
    const { ca, certificate, privateKey, token } = this.#credentials;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, this.#server),
        {
          method,
          ca,
          agent: false,
          ...(certificate === undefined ? {} : { cert: certificate }),
          ...(privateKey === undefined ? {} : { key: privateKey }),
          headers: {
            'content-type': options.contentType ?? 'application/json',
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
          timeout: ANSWER_MS_MAX,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({ code: response.statusCode ?? 0, text, status: statusOf(text) });
          });
          response.on('error', reject);
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
      outgoing.on('error', reject);
      outgoing.end(options.body);
    });
  }
}

function statusOf(text: string): Partial<Status> {
  try {
    const value = JSON.parse(text) as Partial<Status>;
    return value.kind === 'Status' ? value : {};
  } catch {
    return {};
  }
}
