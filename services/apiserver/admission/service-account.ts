/**
 * Pods run under a service account of their namespace, and find its token at the well-known path (KEP-1205,
 * BoundServiceAccountTokenVolume).
 */
import { serviceAccounts } from '../../../apimachinery/gen/resources.js';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../../apimachinery/gen/types.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Random } from '../../../platform/random.js';
import type { ObjectReader } from '../ports.js';
import { concerns, type AdmissionPlugin } from './plugin.js';

export const TOKEN_MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_LIFETIME_S = 3607;
const VOLUME_PREFIX = 'kube-api-access-';
const MIRROR = 'kubernetes.io/config.mirror';

export function serviceAccount(reader: ObjectReader, random: Random): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    async mutate(attributes) {
      if (!concerns(attributes, '', 'pods') || attributes.operation !== 'CREATE') return;
      const pod = attributes.object as Pod;
      const spec = pod.spec;
      if (spec === undefined || pod.metadata?.annotations?.[MIRROR] !== undefined) return;
      const name = (spec.serviceAccountName ?? '') === '' ? 'default' : (spec.serviceAccountName ?? 'default');
      const account = await accountOf(reader, attributes.namespace ?? '', name, attributes.name);
      spec.serviceAccountName = name;
      spec.serviceAccount = name;
      if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
        spec.imagePullSecrets = structuredClone(account.imagePullSecrets ?? []);
      }
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(spec, random);
    },
  };
}

async function accountOf(reader: ObjectReader, namespace: string, name: string, pod: string): Promise<ServiceAccount> {
  const ref = { namespace, name };
  const found = reader.get(serviceAccounts, ref) ?? (await reader.getFresh(serviceAccounts, ref));
  if (found === undefined) {
    throw apiErrors.forbidden(
      { group: '', resource: 'pods' },
      pod,
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    );
  }
  return found;
}

function mountToken(spec: PodSpec, random: Random): void {
  const containers: Container[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const lacking = containers.filter(
    (container) => !(container.volumeMounts ?? []).some((mount) => mount.mountPath === TOKEN_MOUNT_PATH),
  );
  if (lacking.length === 0) return;
  // A pod that was copied, token volume and all, keeps its volume.
  let volume = (spec.volumes ?? []).find((v) => v.name?.startsWith(VOLUME_PREFIX));
  if (volume === undefined) {
    volume = tokenVolume(VOLUME_PREFIX + suffix(random));
    spec.volumes = [...(spec.volumes ?? []), volume];
  }
  for (const container of lacking) {
    container.volumeMounts = [
      ...(container.volumeMounts ?? []),
      { name: volume.name, readOnly: true, mountPath: TOKEN_MOUNT_PATH },
    ];
  }
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_LIFETIME_S, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  };
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

function suffix(random: Random): string {
  return Array.from({ length: 5 }, () => ALPHABET[random.int(ALPHABET.length)]).join('');
}
