/** Which ConfigMaps and Secrets a pod refers to: a worker is sent these and no others. Every kind of container counts (CVE-2023-2727). */
import type { Container, EphemeralContainer, Pod } from '../../apimachinery/gen/types.js';

export interface References {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

export function referencesOf(pod: Pod): References {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined) => {
    if (name !== undefined && name !== '') set.add(name);
  };
  const { spec } = pod;
  const containers: readonly (Container | EphemeralContainer)[] =
    [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
  for (const container of containers) {
    for (const source of container.envFrom ?? []) {
      add(configMaps, source.configMapRef?.name);
      add(secrets, source.secretRef?.name);
    }
    for (const variable of container.env ?? []) {
      add(configMaps, variable.valueFrom?.configMapKeyRef?.name);
      add(secrets, variable.valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of spec?.volumes ?? []) {
    add(configMaps, volume.configMap?.name);
    add(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
    }
  }
  for (const secret of spec?.imagePullSecrets ?? []) add(secrets, secret.name);
  return { configMaps, secrets };
}

/** Whether a projected volume of the pod asks for a token for this audience ('' is the API server's own). */
export function wantsToken(pod: Pod, audience: string): boolean {
  const sources = (pod.spec?.volumes ?? []).flatMap((volume) => volume.projected?.sources ?? []);
  return sources.some((source) => source.serviceAccountToken !== undefined && (source.serviceAccountToken.audience ?? '') === audience);
}
