/** Frames of SPDY/3.1 as values, and to bytes (SPDY draft 3, section 2.2; session flow control of draft 3.1). */
import type { HeaderEncoder, Headers } from './headers.js';

export const VERSION = 3;
export const HEADER_BYTES = 8;

export const TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
export const FLAG_FIN = 0x01;
export const FLAG_UNIDIRECTIONAL = 0x02;

export const RST = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
  flowControlError: 7,
  streamAlreadyClosed: 9,
} as const;
export const GOAWAY = { ok: 0, protocolError: 1, internalError: 2 } as const;
export const SETTING_INITIAL_WINDOW = 7;

export interface Setting {
  readonly id: number;
  readonly flags: number;
  readonly value: number;
}

export type Frame =
  | {
      readonly kind: 'syn-stream';
      readonly stream: number;
      readonly associated: number;
      readonly priority: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly headers: Headers;
    }
  | {
      readonly kind: 'syn-reply' | 'headers';
      readonly stream: number;
      readonly fin: boolean;
      readonly headers: Headers;
    }
  | { readonly kind: 'data'; readonly stream: number; readonly fin: boolean; readonly data: Buffer }
  | { readonly kind: 'rst-stream'; readonly stream: number; readonly status: number }
  | { readonly kind: 'settings'; readonly settings: readonly Setting[] }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'goaway'; readonly lastStream: number; readonly status: number }
  /** Stream 0 is the connection's own window. */
  | { readonly kind: 'window-update'; readonly stream: number; readonly delta: number };

export function encodeFrame(frame: Frame, encoder: HeaderEncoder): Buffer {
  switch (frame.kind) {
    case 'data':
      return encodeData(frame.stream, frame.data, frame.fin);
    case 'syn-stream': {
      const start = numbers(frame.stream, frame.associated, 0).subarray(0, 10);
      start.writeUInt8(frame.priority << 5, 8);
      const flags = (frame.fin ? FLAG_FIN : 0) | (frame.unidirectional ? FLAG_UNIDIRECTIONAL : 0);
      return control(TYPE.synStream, flags, Buffer.concat([start, encoder.encode(frame.headers)]));
    }
    case 'syn-reply':
    case 'headers': {
      const type = frame.kind === 'syn-reply' ? TYPE.synReply : TYPE.headers;
      return control(
        type,
        frame.fin ? FLAG_FIN : 0,
        Buffer.concat([numbers(frame.stream), encoder.encode(frame.headers)]),
      );
    }
    case 'rst-stream':
      return control(TYPE.rstStream, 0, numbers(frame.stream, frame.status));
    case 'settings': {
      const entries = frame.settings.flatMap(({ id, flags, value }) => [flags * 2 ** 24 + id, value]);
      return control(TYPE.settings, 0, numbers(frame.settings.length, ...entries));
    }
    case 'ping':
      return control(TYPE.ping, 0, numbers(frame.id));
    case 'goaway':
      return control(TYPE.goaway, 0, numbers(frame.lastStream, frame.status));
    case 'window-update':
      return control(TYPE.windowUpdate, 0, numbers(frame.stream, frame.delta));
    default:
      throw frame satisfies never;
  }
}

function encodeData(stream: number, data: Uint8Array, fin: boolean): Buffer {
  return Buffer.concat([numbers(stream, (fin ? FLAG_FIN : 0) * 2 ** 24 + data.length), data]);
}

function control(type: number, flags: number, payload: Buffer): Buffer {
  return Buffer.concat([numbers((0x8000 + VERSION) * 2 ** 16 + type, flags * 2 ** 24 + payload.length), payload]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}
