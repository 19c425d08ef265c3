/**
 * The output of a container that exists only as a record: lines in memory, read as a log, followed and attached to.
 * All of it is standard output.
 */
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import { toMicroTime } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import { PipedStream } from './piped-stream.js';
import type { LogRequest } from './runtime.js';

const LINES_MAX = 1000;

interface Line {
  readonly at_ms: number;
  readonly text: string;
}

interface Follower {
  send(line: Line): void;
  end(exitCode: number): void;
}

export class ContainerOutput {
  readonly #clock: Clock;
  readonly #lines: Line[] = [];
  readonly #followers = new Set<Follower>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `text`: whole lines. */
  write(text: string): void {
    for (const piece of text.replace(/\n$/, '').split('\n')) this.#add({ at_ms: this.#clock.now(), text: piece });
  }

  /** The container has ended: everything that follows its output ends too. */
  end(exitCode: number): void {
    for (const follower of [...this.#followers]) follower.end(exitCode);
  }

  /** `running`: whether more may be written. */
  openLog(request: LogRequest, running: boolean, signal: AbortSignal): PodStream {
    const stream = new PipedStream({ signal, onClose: () => void this.#followers.delete(follower) });
    const follower: Follower = { send: logSender(request, stream), end: () => stream.end() };
    for (const line of this.#kept(request)) follower.send(line);
    if (request.follow && running && !stream.closed) this.#followers.add(follower);
    else stream.end();
    return stream;
  }

  /** What is written from now on, and the exit code at the end. */
  attach(signal: AbortSignal): PodStream {
    const stream = new PipedStream({ signal, onClose: () => void this.#followers.delete(follower) });
    const follower: Follower = {
      send: ({ text }) => void stream.push({ kind: 'stdout', data: Buffer.from(`${text}\n`) }),
      end: (code) => {
        void stream.push({ kind: 'exit', code });
        stream.end();
      },
    };
    if (!stream.closed) this.#followers.add(follower);
    return stream;
  }

  #add(line: Line): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
    for (const follower of this.#followers) follower.send(line);
  }

  #kept({ sinceTime, sinceSeconds = Infinity, tailLines = Infinity }: LogRequest): readonly Line[] {
    const since_ms = sinceTime === undefined ? this.#clock.now() - sinceSeconds * 1000 : Date.parse(sinceTime);
    const kept = this.#lines.filter((line) => line.at_ms >= since_ms);
    return kept.slice(Math.max(kept.length - tailLines, 0));
  }
}

/** Sends lines as the request wants them; ends the stream at its limit of bytes. */
function logSender(
  { stream: wanted = 'All', timestamps, limitBytes = Infinity }: LogRequest,
  stream: PipedStream,
): Follower['send'] {
  let left_bytes = limitBytes;
  return ({ at_ms, text }) => {
    if (wanted === 'Stderr') return;
    const data = Buffer.from(`${timestamps ? `${toMicroTime(at_ms)} ` : ''}${text}\n`).subarray(0, left_bytes);
    left_bytes -= data.length;
    if (data.length > 0) void stream.push({ kind: 'stdout', data });
    if (left_bytes <= 0) stream.end();
  };
}
