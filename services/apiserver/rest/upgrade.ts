/**
 * exec, attach and port-forward: who may, to which pod, with which options; then the streaming front has the socket.
 */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PodStreamer } from '../../../apimachinery/pod-streams.js';
import type { UnknownObject } from '../../../apimachinery/object.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { Logger } from '../../../platform/log.js';
import type { ObjectReader, StreamingFront, UpgradeRequest } from '../ports.js';
import type { RegistryAdmission } from '../registry/connect.js';
import { noSuchResource } from '../registry/target.js';
import { askedOf } from './asked.js';
import type { RestFront } from './front.js';
import type { FlowControl } from './flow.js';
import { headerOf } from './message.js';
import type { RestRequest, RestResponse } from './message.js';
import { containerOf, nodeOf, podTarget } from './pod-target.js';
import { booleanOption } from './query.js';
import { plainAnswer, refuse, streamHead } from './raw-answer.js';
import { readerBody, serveReaderSocket } from './reader-socket.js';
import { parseUrl } from './url.js';
import type { UpgradeSocket } from './upgrade-socket.js';
import { isWatchUpgrade, serveWatchSocket } from './watch-socket.js';

export interface UpgradeOptions {
  readonly front: RestFront;
  readonly scheme: MutableScheme;
  readonly connect: RegistryAdmission;
  readonly reader: ObjectReader;
  readonly streamer: PodStreamer;
  readonly streaming: StreamingFront;
  readonly flow: FlowControl;
  readonly logger: Logger;
}

const KINDS: Readonly<Record<string, UpgradeRequest['kind']>> = {
  exec: 'exec',
  attach: 'attach',
  portforward: 'port-forward',
};
const PORTS_MAX = 128;

/** Never throws; the socket is the streaming front's, or has been answered and ended. */
export async function serveUpgrade(
  rest: RestRequest,
  connection: UpgradeSocket,
  options: UpgradeOptions,
): Promise<void> {
  let leave: (() => void) | undefined;
  try {
    if (isWatchUpgrade(rest)) {
      const refusal = await serveWatchSocket(rest, connection, (request) => options.front.handle(request));
      if (refusal !== undefined) await answer(connection.socket, refusal);
      return;
    }
    if (!isStream(rest)) {
      const response = await options.front.handle(rest);
      const stream = readerBody(rest, response);
      if (stream !== undefined) await serveReaderSocket(rest, connection, stream);
      // An upgrade of what has none to offer is an offer that a server may leave aside (RFC 9110, section 7.8).
      else await answer(connection.socket, response);
      return;
    }
    const upgrade = await resolve(rest, connection, options);
    leave = options.flow.enter('long-running');
    await options.streaming.serve(upgrade);
  } catch (error) {
    const failure = error instanceof ApiError ? error : apiErrors.internal('the upgrade failed');
    if (!(error instanceof ApiError)) options.logger.error({ error: String(error) }, 'an upgrade failed unexpectedly');
    refuse(connection.socket, failure);
  } finally {
    leave?.();
  }
}

function isStream(rest: RestRequest): boolean {
  const { route } = parseUrl(rest.url);
  return route.kind === 'resource' && Object.hasOwn(KINDS, route.subresource ?? '');
}

async function resolve(rest: RestRequest, connection: UpgradeSocket, options: UpgradeOptions): Promise<UpgradeRequest> {
  const url = parseUrl(rest.url);
  const { route, query } = url;
  if (route.kind !== 'resource') throw noSuchResource();
  const asked = askedOf(rest, url);
  const user = await options.front.authenticate(rest, url.path, asked);
  await options.front.authorize(user, asked);
  // A GET over WebSocket runs a command all the same: it takes the right to create, too.
  if (asked.verb !== 'create') await options.front.authorize(user, { ...asked, verb: 'create' });
  const kind = options.scheme.byResource(route.id);
  const subresource = route.subresource ?? '';
  const streamKind = Object.hasOwn(KINDS, subresource) ? KINDS[subresource] : undefined;
  if (
    kind === undefined ||
    route.id.group !== '' ||
    route.id.resource !== 'pods' ||
    streamKind === undefined ||
    route.rest.length > 0
  )
    throw noSuchResource();
  const target = await podTarget(options.reader, route.namespace ?? '', route.name ?? '');
  const container = streamKind === 'port-forward' ? '' : containerOf(target, query.get('container') ?? '');
  const node = nodeOf(target);
  const stream = streamOptions(query, container);
  if (streamKind === 'exec' && stream.command.length === 0)
    throw apiErrors.badRequest('you must specify at least one command for the container');
  if (streamKind !== 'port-forward' && !stream.stdin && !stream.stdout && !stream.stderr) {
    throw apiErrors.badRequest('you must specify at least one of stdin, stdout, stderr');
  }
  const body: UnknownObject = { apiVersion: 'v1', ...stream };
  await options.connect.admit({
    kind,
    subresource,
    namespace: target.namespace,
    name: target.pod,
    user,
    options: body,
  });
  return {
    ...connection,
    ...stream,
    kind: streamKind,
    user,
    namespace: target.namespace,
    pod: target.pod,
    uid: target.uid,
    container,
    reach: () => options.streamer.reach(node),
    open: (request, openOptions) => options.streamer.open(node, request, openOptions),
  };
}

function streamOptions(query: URLSearchParams, container: string) {
  const tty = booleanOption(query, 'tty') ?? false;
  return {
    container,
    tty,
    command: query.getAll('command'),
    ports: portsOf(query),
    stdin: booleanOption(query, 'stdin') ?? false,
    stdout: booleanOption(query, 'stdout') ?? false,
    // A terminal has one output.
    stderr: !tty && (booleanOption(query, 'stderr') ?? false),
  };
}

function portsOf(query: URLSearchParams): number[] {
  const texts = query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .filter((text) => text !== '');
  if (texts.length > PORTS_MAX) throw apiErrors.badRequest(`more than ${PORTS_MAX} ports`);
  return texts.map((text) => {
    const port = Number(text);
    if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535)
      throw apiErrors.badRequest(`unable to parse ${JSON.stringify(text.slice(0, 16))} as a port`);
    return port;
  });
}

/** A stream ends with its connection; a client that leaves ends the stream. */
async function answer(socket: Duplex, { status, headers, body }: RestResponse): Promise<void> {
  const type = headerOf({ headers }, 'content-type');
  if (body instanceof Uint8Array) {
    if (socket.destroyed || !socket.writable) socket.destroy();
    else socket.end(plainAnswer(status, body, type));
    return;
  }
  socket.write(streamHead(status, type));
  await pipeline(body, socket).catch(() => socket.destroy());
}
