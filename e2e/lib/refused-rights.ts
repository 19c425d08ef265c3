/** Rights that a component of the control plane lacked, out of its log: what its controllers were refused. */
const REFUSAL = /User \\?"(system:[^"\\]+)\\?" cannot (\S+) (resource \\?"[^"\\]+\\?"|path \\?"[^"\\]+\\?")/g;

export function refusedRights(logs: readonly string[]): string[] {
  const found = logs.flatMap((log) =>
    [...log.matchAll(REFUSAL)].map(([, user, verb, what]) => `${user} ${verb} ${what?.replaceAll('\\', '')}`),
  );
  return [...new Set(found)].sort();
}
