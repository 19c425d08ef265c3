/**
 * Carries out probes and lifecycle hooks: a command in the container, or a connection to the pod. Redirects are not
 * followed (CVE-2020-8559).
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { approximate } from '../../../apimachinery/int64.js';
import type { Clock } from '../../../platform/clock.js';
import { portNumberOf } from '../pod-spec/spec.js';
import type { Container, Handler } from '../pod-spec/types.js';
import { ExecTimeoutError } from '../runtime/runtime.js';
import type { ContainerRecord, Runtime } from '../runtime/runtime.js';
import { checkGrpc } from './grpc-check.js';
import type { ProbeResult } from './prober.js';

const BODY_LENGTH_MAX = 10 * 1024;
const MESSAGE_LENGTH_MAX = 512;
const ok: ProbeResult = { ok: true, message: '' };
const failed = (message: string): ProbeResult => ({ ok: false, message: message.slice(0, MESSAGE_LENGTH_MAX) });

export interface HandlerTarget {
  readonly container: Container;
  readonly record: ContainerRecord;
  readonly podIP: string;
  readonly timeout_s: number;
}

export class Handlers {
  readonly #runtime: Runtime;
  readonly #clock: Clock;

  constructor(runtime: Runtime, clock: Clock) {
    this.#runtime = runtime;
    this.#clock = clock;
  }

  /** Never rejects. */
  async run(handler: Handler, target: HandlerTarget): Promise<ProbeResult> {
    try {
      return await this.#dispatch(handler, target);
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error));
    }
  }

  async #dispatch(handler: Handler, target: HandlerTarget): Promise<ProbeResult> {
    if (handler.exec !== undefined) return this.#exec(handler.exec.command ?? [], target);
    if (handler.sleep !== undefined) {
      await this.#clock.sleep(Math.min(approximate(handler.sleep.seconds), target.timeout_s) * 1000);
      return ok;
    }
    // Hollow pods have no address anyone answers at.
    if (this.#runtime.pretends) return ok;
    if (handler.httpGet !== undefined) return this.#http(handler.httpGet, target);
    if (handler.tcpSocket !== undefined) return this.#tcp(handler.tcpSocket, target);
    if (handler.grpc !== undefined)
      return checkGrpc(`${bracketed(target.podIP)}:${handler.grpc.port}`, handler.grpc.service ?? '', target.timeout_s);
    return failed('no handler that this agent knows');
  }

  async #exec(command: readonly string[], target: HandlerTarget): Promise<ProbeResult> {
    try {
      const { exitCode, stdout, stderr } = await this.#runtime.execSync(target.record.id, command, target.timeout_s);
      return exitCode === 0
        ? ok
        : failed(Buffer.concat([stdout, stderr]).toString('utf8').trim() || `command ended with exit code ${exitCode}`);
    } catch (error) {
      if (error instanceof ExecTimeoutError)
        return failed(`command "${command.join(' ')}" timed out after ${target.timeout_s}s`);
      throw error;
    }
  }

  #http(action: NonNullable<Handler['httpGet']>, target: HandlerTarget): Promise<ProbeResult> {
    const port = portNumberOf(target.container, action.port);
    if (port === undefined) return Promise.resolve(failed(`no port named "${action.port}"`));
    const host = action.host ?? target.podIP;
    const secure = action.scheme === 'HTTPS';
    const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
    for (const { name, value } of action.httpHeaders ?? []) headers[name] = [...(headers[name] ?? []), value];
    return new Promise((resolve) => {
      const finish = (result: ProbeResult) => {
        timer.cancel();
        resolve(result);
        request.destroy();
      };
      // A probe asks for health, not for identity: certificates are not verified, as in kubelet.
      const request = (secure ? httpsRequest : httpRequest)({
        host,
        port,
        path: action.path?.startsWith('/') === true ? action.path : `/${action.path ?? ''}`,
        method: 'GET',
        agent: false,
        headers: { 'user-agent': 'kube-probe/1.36', accept: '*/*', ...headers },
        ...(secure ? { rejectUnauthorized: false } : {}),
      });
      const timer = this.#clock.after(target.timeout_s * 1000, () =>
        finish(
          failed(
            `Get "${secure ? 'https' : 'http'}://${bracketed(host)}:${port}${action.path ?? '/'}": timed out after ${target.timeout_s}s`,
          ),
        ),
      );
      request.on('error', (error) =>
        finish(
          failed(
            `Get "${secure ? 'https' : 'http'}://${bracketed(host)}:${port}${action.path ?? '/'}": ${dialError(error, host, port)}`,
          ),
        ),
      );
      request.on('response', (response) => {
        const code = response.statusCode ?? 0;
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          if ((length += chunk.length) > BODY_LENGTH_MAX) finish(verdict(code));
        });
        response.on('end', () => finish(verdict(code)));
        response.on('error', (error) => finish(failed(error.message)));
      });
      request.end();
    });
  }

  #tcp(action: NonNullable<Handler['tcpSocket']>, target: HandlerTarget): Promise<ProbeResult> {
    const port = portNumberOf(target.container, action.port);
    if (port === undefined) return Promise.resolve(failed(`no port named "${action.port}"`));
    return new Promise((resolve) => {
      const socket = connect({ host: action.host ?? target.podIP, port });
      const finish = (result: ProbeResult) => {
        timer.cancel();
        socket.destroy();
        resolve(result);
      };
      const timer = this.#clock.after(target.timeout_s * 1000, () =>
        finish(failed(`dial tcp ${target.podIP}:${port}: timed out after ${target.timeout_s}s`)),
      );
      socket.on('connect', () => finish(ok));
      socket.on('error', (error) => finish(failed(dialError(error, action.host ?? target.podIP, port))));
    });
  }
}

/** In the words in which users have met it. */
function dialError(error: NodeJS.ErrnoException, host: string, port: number): string {
  return error.code === 'ECONNREFUSED'
    ? `dial tcp ${bracketed(host)}:${port}: connect: connection refused`
    : error.message;
}

/** 2xx and 3xx are success: a redirect is an answer, and where it leads is not asked. */
function verdict(code: number): ProbeResult {
  return code >= 200 && code < 400 ? ok : failed(`HTTP probe failed with statuscode: ${code}`);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
