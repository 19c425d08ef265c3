/**
 * The streaming subresources of a pod: what the API server's fronts ask of whoever reaches the node (nodelink), and
 * what the node's agent serves. Transport-neutral: the fronts translate WebSocket and SPDY, nodelink translates gRPC
 * tunnels.
 */

export interface PodCommandRequest {
  readonly kind: 'exec' | 'attach';
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  /** Empty for attach. */
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export type PodStreamRequest =
  | PodCommandRequest
  | {
      readonly kind: 'log';
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
      readonly container: string;
      readonly follow: boolean;
      readonly previous: boolean;
      readonly timestamps: boolean;
      readonly tailLines?: number;
      readonly limitBytes?: number;
      readonly sinceSeconds?: number;
      /** RFC 3339. */
      readonly sinceTime?: string;
      /** 'All' when absent. */
      readonly stream?: 'All' | 'Stdout' | 'Stderr';
    }
  | {
      /** One connection to one port of the pod: bytes up are 'stdin' frames, bytes down 'stdout' frames. */
      readonly kind: 'port-forward';
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
      readonly port: number;
      /** The pod's address to connect to; refused when the pod does not have it. Absent: the worker chooses. */
      readonly address?: string;
    }
  | {
      /**
       * One connection to the port that the worker itself serves, with frames as of 'port-forward'. Refused for other
       * ports.
       */
      readonly kind: 'node-port';
      readonly port: number;
    };

/** From the client to the container. */
export type PodStreamInput =
  | { readonly kind: 'stdin'; readonly data: Uint8Array }
  /** The client closed its standard input. */
  | { readonly kind: 'stdin-end' }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number };

/** From the container to the client. 'exit' is the last frame of an exec or attach. */
export type PodStreamOutput =
  | { readonly kind: 'stdout'; readonly data: Uint8Array }
  | { readonly kind: 'stderr'; readonly data: Uint8Array }
  | { readonly kind: 'exit'; readonly code: number; readonly message?: string };

/**
 * A stream that is open. Iterating yields output until the far end is done; it throws an ApiError when the far end
 * failed.
 */
export interface PodStream extends AsyncIterable<PodStreamOutput> {
  /** Resolves when the frame may be followed by another (backpressure). */
  write(input: PodStreamInput): Promise<void>;
  /** Ends the stream from this side; nothing is delivered afterwards. */
  close(): void;
}

/**
 * Opens streams to pods on a node. Fails with 503 ServiceUnavailable when the node has no session with this cluster
 * now.
 */
export interface PodStreamer {
  /**
   * Whether the node can be asked for streams now, for whoever must promise a client that before it knows which stream.
   * Rejects as `open` does.
   */
  reach(node: string): Promise<void>;
  open(node: string, request: PodStreamRequest, options: { readonly signal: AbortSignal }): Promise<PodStream>;
}
