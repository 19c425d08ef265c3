/** Walks the keys of JSON in the order in which they stand in the bytes. */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, endOfString, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './scan.js';

/** The object or list that the walk is in. */
export interface Frame {
  /** The one around it; its key or index is where this one stands. */
  readonly outer: Frame | undefined;
  /** Keys so far; undefined for a list. */
  readonly keys: Set<string> | undefined;
  index: number;
  key: string;
}

/** `spec.containers[0].name`, for the place that the frame is at. */
export function childPath(frame: Frame): string {
  const parts: string[] = [];
  for (let at: Frame | undefined = frame; at !== undefined; at = at.outer)
    parts.push(at.keys === undefined ? `[${at.index}]` : `.${at.key}`);
  return parts.reverse().join('').replace(/^\./, '');
}

/**
 * Calls `visit` for each key, with whether its object had it before, until it returns false. The bytes must be valid
 * JSON.
 */
export function walkKeys(bytes: Uint8Array, visit: (frame: Frame, isSecond: boolean) => boolean): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let frame: Frame | undefined;
  let expectKey = false;
  for (let at = 0; at < buffer.length; at += 1) {
    switch (buffer[at]) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        expectKey = buffer[at] === OPEN_BRACE;
        frame = { outer: frame, keys: expectKey ? new Set() : undefined, index: 0, key: '' };
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        frame = frame?.outer;
        expectKey = false;
        break;
      case COMMA:
        if (frame?.keys === undefined && frame !== undefined) frame.index += 1;
        expectKey = frame?.keys !== undefined;
        break;
      case QUOTE: {
        const end = endOfString(buffer, at);
        if (expectKey && frame?.keys !== undefined) {
          frame.key = keyText(buffer, at, end);
          if (!visit(frame, frame.keys.has(frame.key))) return;
          frame.keys.add(frame.key);
          expectKey = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
}

function keyText(buffer: Buffer, open: number, close: number): string {
  const text = buffer.toString('utf8', open + 1, close);
  return text.includes('\\') ? (JSON.parse(buffer.toString('utf8', open, close + 1)) as string) : text;
}
