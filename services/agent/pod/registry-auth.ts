/** Credentials from a pod's imagePullSecrets (kubernetes.io/dockerconfigjson and dockercfg) for one image. */
import type { RegistryAuth } from '../runtime/runtime.js';
import { normalizedImage } from '../pod-spec/spec.js';
import type { Pod, Secret } from '../pod-spec/types.js';

interface AuthEntry {
  username?: unknown;
  password?: unknown;
  auth?: unknown;
}

/**
 * Credentials of matching registries, in the order of the secrets. What cannot be read is left out: the pull then says
 * so.
 */
export function registryAuths(
  pod: Pod,
  image: string,
  secret: (namespace: string, name: string) => Secret | undefined,
): RegistryAuth[] {
  const registry = normalizedImage(image).split('/')[0] ?? '';
  return (pod.spec?.imagePullSecrets ?? []).flatMap(({ name = '' }) => {
    const found = secret(pod.metadata?.namespace ?? '', name);
    return found === undefined
      ? []
      : entriesOf(found)
          .filter(([host]) => hostOf(host) === registry)
          .flatMap(([, entry]) => authOf(entry));
  });
}

function entriesOf(secret: Secret): [string, AuthEntry][] {
  const modern = secret.data?.['.dockerconfigjson'];
  const text = modern ?? secret.data?.['.dockercfg'];
  if (text === undefined) return [];
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as Record<string, unknown> | null;
    const auths = modern === undefined ? parsed : parsed?.['auths'];
    if (typeof auths !== 'object' || auths === null) return [];
    return Object.entries(auths).filter(
      (entry): entry is [string, AuthEntry] => typeof entry[1] === 'object' && entry[1] !== null,
    );
  } catch {
    return [];
  }
}

function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return host === 'index.docker.io' ? 'docker.io' : host;
}

function authOf(entry: AuthEntry): RegistryAuth[] {
  if (typeof entry.username === 'string' && typeof entry.password === 'string')
    return [{ username: entry.username, password: entry.password }];
  if (typeof entry.auth !== 'string') return [];
  const [username = '', ...rest] = Buffer.from(entry.auth, 'base64').toString('utf8').split(':');
  return [{ username, password: rest.join(':') }];
}
