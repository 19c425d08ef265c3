/**
 * The names of a worker's serving certificate. A worker claims nothing: it has the name its client certificate proves
 * and the address its call came from. One that is a member's, or the API's, is left out: with it, a worker could answer
 * in a member's place. Pure.
 */

/** `[::ffff:192.0.2.1]:4000` -> `192.0.2.1` */
export function hostOf(endpoint: string): string {
  const host =
    /^\[(.*)\](?::\d+)?$/.exec(endpoint)?.[1] ??
    (endpoint.split(':').length === 2 ? (endpoint.split(':')[0] ?? '') : endpoint);
  return host
    .replace(/^::ffff:(?=\d+\.)/i, '')
    .replace(/%.*$/, '')
    .toLowerCase();
}

const LOOPBACK = /^(127\.|::1$|0\.0\.0\.0$|::$)/;
const ADDRESS = /^(\d+(\.\d+){3}|[0-9a-f:]*:[0-9a-f:.]*)$/;
/** Names by which clients inside a cluster know its API, whatever the members' own certificates say. */
const API_NAME = /^(localhost|kubernetes)(\.|$)/;

/** `peer`: where the call came from, `host:port`. Empty when nothing is left that is the worker's own. */
export function servingNames(node: string, peer: string, reserved: readonly string[]): string[] {
  const taken = new Set(reserved.map((name) => name.toLowerCase()));
  const address = hostOf(peer);
  // A node may be named like an address; it is not at that address for it.
  const names = API_NAME.test(node) || ADDRESS.test(node) ? [] : [node];
  return [...names, ...(ADDRESS.test(address) && !LOOPBACK.test(address) ? [address] : [])].filter(
    (name) => !taken.has(name),
  );
}
