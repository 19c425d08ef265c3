/** `pods/log`: the node's stream as text, chunk by chunk. */
import type { PodStreamRequest, PodStreamer } from '../../../apimachinery/pod-streams.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { ObjectReader } from '../ports.js';
import type { RestResponse } from './message.js';
import { containerOf, podTarget } from './pod-target.js';
import { booleanOption, integerOption } from './query.js';

export interface LogRequest {
  readonly namespace: string;
  readonly name: string;
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
}

/** The answer begins when the node has accepted: until then a failure is a Status with its code. */
export async function serveLog(request: LogRequest, parts: { readonly reader: ObjectReader; readonly streamer: PodStreamer }): Promise<RestResponse> {
  const target = await podTarget(parts.reader, request.namespace, request.name);
  const { node, object: _, ...pod } = target;
  const container = containerOf(target, request.query.get('container') ?? '');
  const end = new AbortController();
  const signal = AbortSignal.any([request.signal, end.signal]);
  const stream = await parts.streamer.open(node, { kind: 'log', ...pod, container, ...logOptions(request.query) }, { signal });
  const output = stream[Symbol.asyncIterator]();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const next = await output.next();
        if (next.done === true) return;
        if (next.value.kind !== 'exit') yield next.value.data;
      }
    } catch (error) {
      if (!signal.aborted) yield Buffer.from(`${error instanceof ApiError ? error.message : 'the log stream broke'}\n`);
    } finally {
      stream.close();
      end.abort();
    }
  }
  return { status: 200, headers: { 'content-type': 'text/plain' }, body: chunks() };
}

type LogOptions = Omit<Extract<PodStreamRequest, { kind: 'log' }>, 'kind' | 'namespace' | 'pod' | 'uid' | 'container'>;

function logOptions(query: URLSearchParams): LogOptions {
  const tailLines = integerOption(query, 'tailLines');
  const limitBytes = integerOption(query, 'limitBytes', 1);
  const sinceSeconds = integerOption(query, 'sinceSeconds', 1);
  const sinceTime = query.get('sinceTime');
  if (sinceTime !== null && sinceSeconds !== undefined) throw apiErrors.badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified');
  if (sinceTime !== null && Number.isNaN(Date.parse(sinceTime))) throw apiErrors.badRequest(`sinceTime: Invalid value: ${JSON.stringify(sinceTime.slice(0, 64))}`);
  const stream = query.get('stream');
  if (stream !== null && stream !== 'All' && stream !== 'Stdout' && stream !== 'Stderr') {
    throw apiErrors.badRequest('stream: Unsupported value: supported values: "All", "Stderr", "Stdout"');
  }
  return {
    follow: booleanOption(query, 'follow') ?? false,
    previous: booleanOption(query, 'previous') ?? false,
    timestamps: booleanOption(query, 'timestamps') ?? false,
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTime === null ? {} : { sinceTime }),
    ...(stream === null ? {} : { stream }),
  };
}
