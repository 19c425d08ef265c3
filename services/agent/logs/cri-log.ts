/** Lines of a container's log as CRI runtimes write them: `2026-01-02T03:04:05.678901234Z stdout F text`. Pure. */

export interface LogLine {
  /** As written, RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** A part of a line longer than the runtime's buffer: no newline follows. */
  readonly partial: boolean;
  readonly content: Buffer;
}

const SPACE = 0x20;

/** Undefined for what is not a log line, as after a crash of the machine. `line` has no newline at its end. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  if (first <= 0 || second <= first) return undefined;
  const third = line.indexOf(SPACE, second + 1);
  const stream = line.toString('latin1', first + 1, second);
  const tags = line.toString('latin1', second + 1, third === -1 ? line.length : third);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  return {
    time: line.toString('latin1', 0, first),
    stream,
    partial: tags.split(':')[0] === 'P',
    content: third === -1 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}

export interface LogFilter {
  readonly since_ms?: number;
  readonly stream: 'All' | 'Stdout' | 'Stderr';
  readonly timestamps: boolean;
}

/**
 * What a client sees of the line; undefined when the filter leaves it out. `continued`: the part before was partial.
 */
export function renderLogLine(line: LogLine, filter: LogFilter, continued: boolean): Buffer | undefined {
  if (filter.stream !== 'All' && filter.stream.toLowerCase() !== line.stream) return undefined;
  if (filter.since_ms !== undefined && Date.parse(line.time) < filter.since_ms) return undefined;
  const time = filter.timestamps && !continued ? Buffer.from(`${line.time} `) : Buffer.alloc(0);
  return Buffer.concat([time, line.content, line.partial ? Buffer.alloc(0) : Buffer.from('\n')]);
}
