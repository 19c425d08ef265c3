/**
 * What exec, attach and port-forward need from a client, whatever carries it. `websocket/` and `spdy/` make channels;
 * `command.ts` and `forward.ts` use them and know neither.
 */

/**
 * One stream of bytes each way. Iterating yields what the client sends, ends when the client has sent its last, and
 * throws when the client is gone. One consumer.
 */
export interface Channel extends AsyncIterable<Buffer> {
  /** Resolves when more may follow; rejects when the client takes nothing any more. */
  write(data: Uint8Array): Promise<void>;
  /** Nothing more is written. Carriers without a half-close tell the client nothing. */
  end(): void;
  /**
   * Nothing more is read: what still comes is dropped, so that it holds up no other channel. A running iteration ends.
   */
  cancel(): void;
}

export interface CommandChannels {
  /** Absent when the client did not ask for it. */
  readonly stdin: Channel | undefined;
  readonly stdout: Channel | undefined;
  readonly stderr: Channel | undefined;
  readonly resize: Channel | undefined;
  /** Carries how the command ended. */
  readonly error: Channel;
  /** A Status as JSON, or, for clients older than v4, the message of a failure and nothing for success. */
  readonly outcome: 'status' | 'text';
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
}

export interface ForwardChannels {
  readonly data: Channel;
  /** Text for people; anything on it is a failure. */
  readonly error: Channel;
  /** Aborts when the client has given up this connection, or all. */
  readonly gone: AbortSignal;
}
