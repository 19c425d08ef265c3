/**
 * Asks others what the zone does not know. Each query goes out from a socket and with an id of its own, both chosen at
 * random (RFC 5452); an answer counts only when it comes from where we asked, with that id and that question.
 */
import { createSocket } from 'node:dgram';
import { connect, isIP } from 'node:net';
import { decode, encode } from 'dns-packet';
import type { DecodedPacket as Packet, Question } from 'dns-packet';
import type { Clock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { FrameReader, frame } from './framing.js';

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

export interface ForwarderOptions {
  readonly upstreams: readonly Upstream[];
  readonly clock: Clock;
  readonly random: Random;
  /** For one upstream; the next one is asked then. */
  readonly timeout_ms: number;
  /** Queries under way at the same time; one more is refused at once. */
  readonly concurrency: number;
}

export type Forwarded =
  | { readonly kind: 'answer'; readonly packet: Packet }
  /** Nobody to ask, everybody failed, or too much under way. */
  | { readonly kind: 'none' | 'failed' | 'busy' };

const UDP_PAYLOAD_BYTES = 1232;

/** `nameserver` lines of resolv.conf, but not those that lead back to us. */
export function upstreamsOf(resolvConf: string, own: readonly string[]): Upstream[] {
  return resolvConf
    .split('\n')
    .map((line) => /^\s*nameserver\s+([0-9a-fA-F.:]+)\s*(?:[#;].*)?$/.exec(line)?.[1] ?? '')
    .filter((address) => isIP(address) !== 0 && !own.includes(address))
    .slice(0, 3)
    .map((address) => ({ address, port: 53 }));
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #underWay = new Set<AbortController>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  async ask(question: Question): Promise<Forwarded> {
    const { upstreams, concurrency } = this.#options;
    if (upstreams.length === 0) return { kind: 'none' };
    if (this.#underWay.size >= concurrency) return { kind: 'busy' };
    const stop = new AbortController();
    this.#underWay.add(stop);
    try {
      for (const upstream of upstreams) {
        const packet = await this.#askOne(upstream, question, stop.signal);
        if (packet !== undefined) return { kind: 'answer', packet };
        if (stop.signal.aborted) break;
      }
      return { kind: 'failed' };
    } finally {
      this.#underWay.delete(stop);
    }
  }

  /** Ends what is under way; those who wait are told that it failed. */
  close(): void {
    for (const stop of this.#underWay) stop.abort();
  }

  /** By UDP, and by TCP when the answer does not fit. */
  async #askOne(upstream: Upstream, question: Question, signal: AbortSignal): Promise<Packet | undefined> {
    const id = this.#options.random.bytes(2).readUInt16BE(0);
    const query = encode({
      type: 'query',
      id,
      flags: 0x0100,
      questions: [question],
      additionals: [
        {
          name: '.',
          type: 'OPT',
          udpPayloadSize: UDP_PAYLOAD_BYTES,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    });
    const accept = (bytes: Buffer) => acceptable(bytes, id, question);
    const packet = await this.#exchange({
      signal,
      accept,
      open: (take, fail) => overUdp(upstream, query, { take, fail }),
    });
    if (packet?.flag_tc !== true) return packet;
    // Half an answer is none: without the whole one this upstream has failed.
    return this.#exchange({ signal, accept, open: (take, fail) => overTcp(upstream, query, { take, fail }) });
  }

  /** The first acceptable answer; undefined after the time limit, an error, or the end. */
  #exchange(ask: {
    readonly signal: AbortSignal;
    readonly accept: (bytes: Buffer) => Packet | undefined;
    readonly open: (take: (bytes: Buffer) => void, fail: () => void) => () => void;
  }): Promise<Packet | undefined> {
    return new Promise((resolve) => {
      let close: (() => void) | undefined;
      let over = false;
      const done = (packet: Packet | undefined) => {
        if (over) return;
        over = true;
        timer.cancel();
        ask.signal.removeEventListener('abort', fail);
        close?.();
        resolve(packet);
      };
      const fail = () => done(undefined);
      const timer = this.#options.clock.after(this.#options.timeout_ms, fail);
      ask.signal.addEventListener('abort', fail, { once: true });
      try {
        close = ask.open((bytes) => {
          const packet = ask.accept(bytes);
          // Anything else may be forged: go on waiting for the true one.
          if (packet !== undefined) done(packet);
        }, fail);
      } catch {
        // An address or a port that no socket takes: an upstream that fails, like any other.
        fail();
      }
      // It may have failed before there was anything to close.
      if (over) close?.();
    });
  }
}

function acceptable(bytes: Buffer, id: number, question: Question): Packet | undefined {
  let packet: Packet;
  try {
    packet = decode(bytes);
  } catch {
    return undefined;
  }
  // The library reads past the end of a message that was cut off.
  if (decode.bytes > bytes.length) return undefined;
  const echoed = packet.questions?.[0];
  const same =
    packet.type === 'response' &&
    packet.id === id &&
    packet.questions?.length === 1 &&
    echoed?.type === question.type &&
    echoed.name.toLowerCase() === question.name.toLowerCase();
  return same ? packet : undefined;
}

type Sink = { readonly take: (bytes: Buffer) => void; readonly fail: () => void };

function overUdp(upstream: Upstream, query: Buffer, { take, fail }: Sink): () => void {
  const socket = createSocket(isIP(upstream.address) === 6 ? 'udp6' : 'udp4');
  let open = true;
  // Stays on after the close: an error that comes then is nobody's.
  socket.on('error', fail);
  socket.on('message', take);
  const close = () => {
    if (!open) return;
    open = false;
    // Closing before the connect has finished throws within the socket: let it finish first.
    try {
      socket.close();
    } catch {
      socket.unref();
    }
  };
  try {
    // Connected: the kernel lets only this upstream's packets through, and reports that nobody listens there. Without a
    // route the callback gets an error, though its type does not say so; a socket that is not connected must not send.
    socket.connect(upstream.port, upstream.address, (error?: Error) => {
      if (error !== undefined) fail();
      else if (open) socket.send(query, (failure) => (failure === null || failure === undefined ? undefined : fail()));
    });
  } catch (error) {
    close();
    throw error;
  }
  return close;
}

function overTcp(upstream: Upstream, query: Buffer, { take, fail }: Sink): () => void {
  const socket = connect({ host: upstream.address, port: upstream.port });
  const reader = new FrameReader();
  socket.on('error', fail);
  socket.on('close', fail);
  socket.on('data', (chunk) => {
    for (const bytes of reader.push(chunk)) take(bytes);
  });
  socket.end(frame(query));
  return () => {
    socket.removeAllListeners('close');
    socket.destroy();
  };
}
