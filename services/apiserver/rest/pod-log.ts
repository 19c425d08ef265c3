/** `pods/log`: the node's stream as text, chunk by chunk. */
import type { PodStreamRequest, PodStreamer } from '../../../apimachinery/pod-streams.js';
import { ApiError, apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import type { FieldError } from '../../../apimachinery/status.js';
import type { ObjectReader } from '../ports.js';
import type { RestResponse } from './message.js';
import { containerOf, podTarget } from './pod-target.js';
import { booleanOption, isOneOf, signedOption } from './query.js';

export interface LogRequest {
  readonly namespace: string;
  readonly name: string;
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
}

/** The answer begins when the node has accepted: until then a failure is a Status with its code. */
export async function serveLog(
  request: LogRequest,
  parts: { readonly reader: ObjectReader; readonly streamer: PodStreamer },
): Promise<RestResponse> {
  const options = logOptions(request.query, request.name);
  const target = await podTarget(parts.reader, request.namespace, request.name);
  const { node, object: _, ...pod } = target;
  const container = containerOf(target, request.query.get('container') ?? '');
  // Nothing has been written by a pod that has no node: an answer without content, not a failure.
  if (node === '') return { status: 204, headers: {}, body: new Uint8Array() };
  const end = new AbortController();
  const signal = AbortSignal.any([request.signal, end.signal]);
  const stream = await parts.streamer.open(node, { kind: 'log', ...pod, container, ...options }, { signal });
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

const STREAMS = ['All', 'Stderr', 'Stdout'] as const;

/**
 * Throws BadRequest for what cannot be read, and Invalid, with all complaints, for what makes no sense
 * (ValidatePodLogOptions).
 */
export function logOptions(query: URLSearchParams, pod: string): LogOptions {
  const numbers = {
    tailLines: signedOption(query, 'tailLines'),
    limitBytes: signedOption(query, 'limitBytes'),
    sinceSeconds: signedOption(query, 'sinceSeconds'),
  };
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '' && Number.isNaN(Date.parse(sinceTime)))
    throw apiErrors.badRequest(`sinceTime: Invalid value: ${JSON.stringify(sinceTime.slice(0, 64))}`);
  const stream = query.get('stream') ?? undefined;
  const errors = [...numberErrors(numbers, sinceTime !== ''), ...streamErrors(stream, numbers.tailLines)];
  if (errors.length > 0) throw apiErrors.invalid({ group: '', kind: 'PodLogOptions' }, pod, errors);
  const { tailLines, limitBytes, sinceSeconds } = numbers;
  return {
    follow: booleanOption(query, 'follow') ?? false,
    previous: booleanOption(query, 'previous') ?? false,
    timestamps: booleanOption(query, 'timestamps') ?? false,
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTime === '' ? {} : { sinceTime }),
    ...(stream !== undefined && isOneOf(stream, STREAMS) ? { stream } : {}),
  };
}

type Numbers = Readonly<Record<'tailLines' | 'limitBytes' | 'sinceSeconds', number | undefined>>;

function numberErrors({ tailLines = 0, limitBytes = 1, sinceSeconds }: Numbers, hasTime: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (tailLines < 0) errors.push(fieldErrors.invalid('tailLines', tailLines, 'must be greater than or equal to 0'));
  if (limitBytes < 1) errors.push(fieldErrors.invalid('limitBytes', limitBytes, 'must be greater than 0'));
  if (sinceSeconds === undefined) return errors;
  if (hasTime)
    errors.push(fieldErrors.forbidden('[]', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  else if (sinceSeconds < 1) errors.push(fieldErrors.invalid('sinceSeconds', sinceSeconds, 'must be greater than 0'));
  return errors;
}

function streamErrors(stream: string | undefined, tailLines: number | undefined): FieldError[] {
  if (stream === undefined) return [];
  if (!isOneOf(stream, STREAMS)) return [fieldErrors.notSupported('stream', stream, STREAMS)];
  return stream === 'All' || tailLines === undefined
    ? []
    : [fieldErrors.forbidden('[]', '`tailLines` and specific `stream` are mutually exclusive for now')];
}
