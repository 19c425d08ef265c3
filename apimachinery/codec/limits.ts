/** What a body may cost before it is refused. */

export interface DecodeLimits {
  readonly bytesMax: number;
  /** Nesting of objects and lists. */
  readonly depthMax: number;
}

/** 3 MiB is kube-apiserver's limit for a request body; no kind of ours nests half as deep as 256. */
export const DEFAULT_LIMITS: DecodeLimits = { bytesMax: 3 * 1024 * 1024, depthMax: 256 };
