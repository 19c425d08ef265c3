/** Times that hold for every carrier. */

/** Between signs of life to a client. A client that is gone is noticed after two at the latest. */
export const HEARTBEAT_MS = 30_000;

/** For a client to open the streams that belong together, once it has been told `101`; what the kubelet allows. */
export const STREAMS_TIMEOUT_MS = 30_000;

/**
 * For a client to close its side after we have closed ours. A socket destroyed with unread input would take our last
 * bytes with it.
 */
export const LINGER_MS = 5_000;
