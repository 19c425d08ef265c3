/**
 * Reads a container's log file: the tail, what is newer than a time, and what is still to come. Files grow, and are
 * rotated by rename.
 */
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { LogRequest } from '../runtime/runtime.js';
import { PipedStream } from '../runtime/piped-stream.js';
import { parseLogLine, renderLogLine } from './cri-log.js';
import type { LogFilter } from './cri-log.js';

export interface OpenLogOptions {
  readonly path: string;
  readonly request: LogRequest;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Whether the container may still write. */
  running(): Promise<boolean>;
}

const CHUNK_BYTES = 64 << 10;
const POLL_MS = 200;
/** A container is asked after every so many polls without news. */
const POLLS_PER_CHECK = 5;
const LINE_BYTES_MAX = 1 << 20;
const NEWLINE = 0x0a;

export async function openLogFile(options: OpenLogOptions): Promise<PodStream> {
  const { path, request, clock, signal } = options;
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? apiErrors.notFound({ group: '', resource: 'logs' }, request.container) : error;
  });
  const since_ms =
    request.sinceTime !== undefined
      ? Date.parse(request.sinceTime)
      : request.sinceSeconds !== undefined
        ? clock.now() - request.sinceSeconds * 1000
        : undefined;
  const filter: LogFilter = {
    stream: request.stream ?? 'All',
    timestamps: request.timestamps,
    ...(since_ms === undefined ? {} : { since_ms }),
  };
  const abort = new AbortController();
  const stream = new PipedStream({ signal, onClose: () => abort.abort(new Error('the log stream was closed')) });
  const reader = new LogReader(file, stream, filter, request.limitBytes ?? Infinity);
  void follow(reader, options, abort.signal)
    .then(
      () => stream.end(),
      (error: unknown) => {
        stream.end(
          abort.signal.aborted ? undefined : apiErrors.internal(error instanceof Error ? error.message : String(error)),
        );
      },
    )
    .finally(() => void reader.close());
  return stream;
}

async function follow(reader: LogReader, options: OpenLogOptions, closed: AbortSignal): Promise<void> {
  const { request, clock, path } = options;
  if (request.tailLines !== undefined) await reader.seekTail(request.tailLines);
  await reader.drain();
  let idle = 0;
  while (request.follow && !closed.aborted && !reader.full) {
    // Asked before the last read: what was written before the end is then read.
    const ended = ++idle % POLLS_PER_CHECK === 0 && !(await options.running());
    if (await reader.drain()) idle = 0;
    else if (await reader.rotated(path)) await reader.reopen(path);
    else if (ended) return;
    await clock.sleep(POLL_MS, closed);
  }
}

class LogReader {
  #file: FileHandle;
  readonly #stream: PipedStream;
  readonly #filter: LogFilter;
  #left_bytes: number;
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);
  #continued = false;

  constructor(file: FileHandle, stream: PipedStream, filter: LogFilter, limit_bytes: number) {
    this.#file = file;
    this.#stream = stream;
    this.#filter = filter;
    this.#left_bytes = limit_bytes;
  }

  get full(): boolean {
    return this.#left_bytes <= 0;
  }

  /** Positions the reader before the last `count` lines, reading the file backwards. */
  async seekTail(count: number): Promise<void> {
    const { size } = await this.#file.stat();
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let end = size;
    let newlines = 0;
    while (end > 0 && count > 0) {
      const start = Math.max(end - CHUNK_BYTES, 0);
      const { bytesRead } = await this.#file.read(buffer, 0, end - start, start);
      for (let i = bytesRead - 1; i >= 0; i--) {
        // The newline that ends the last line begins no line.
        if (buffer[i] !== NEWLINE || start + i === size - 1) continue;
        if (++newlines === count) {
          this.#position = start + i + 1;
          return;
        }
      }
      end = start;
    }
    this.#position = count > 0 ? 0 : size;
  }

  /** Sends all that is there. True when there was anything. */
  async drain(): Promise<boolean> {
    let some = false;
    while (!this.full && !this.#stream.closed) {
      const buffer = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await this.#file.read(buffer, 0, CHUNK_BYTES, this.#position);
      if (bytesRead === 0) return some;
      some = true;
      this.#position += bytesRead;
      await this.#take(buffer.subarray(0, bytesRead));
    }
    return some;
  }

  /** Whether the path leads to another file now. */
  async rotated(path: string): Promise<boolean> {
    const [here, there] = await Promise.all([this.#file.stat(), stat(path).catch(() => undefined)]);
    return there !== undefined && there.ino !== here.ino;
  }

  async reopen(path: string): Promise<void> {
    const next = await open(path, 'r');
    await this.#file.close();
    this.#file = next;
    this.#position = 0;
    this.#rest = Buffer.alloc(0);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #take(chunk: Buffer): Promise<void> {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const out: Buffer[] = [];
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end !== -1; end = data.indexOf(NEWLINE, start)) {
      this.#line(data.subarray(start, end), out);
      start = end + 1;
    }
    // A line without an end that is too long is no line of a CRI log.
    this.#rest = data.length - start > LINE_BYTES_MAX ? Buffer.alloc(0) : data.subarray(start);
    const joined = Buffer.concat(out);
    const sent = joined.subarray(0, Math.min(joined.length, this.#left_bytes));
    this.#left_bytes -= sent.length;
    if (sent.length > 0) await this.#stream.push({ kind: 'stdout', data: sent });
  }

  #line(bytes: Buffer, out: Buffer[]): void {
    const line = parseLogLine(bytes);
    if (line === undefined) return;
    const text = renderLogLine(line, this.#filter, this.#continued);
    this.#continued = line.partial;
    if (text !== undefined) out.push(text);
  }
}
