/** Kubeconfig files with embedded certificates, as `kubectl config` would write them. */
import { stringify } from 'yaml';
import type { KeyPair } from '../../platform/pki/x509.js';

export interface KubeconfigFacts {
  /** `https://host:port` */
  readonly server: string;
  /** PEM. */
  readonly clusterAuthority: string;
  readonly user: string;
  readonly credential: KeyPair;
  readonly cluster?: string;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

export function kubeconfigText(facts: KubeconfigFacts): string {
  const cluster = facts.cluster ?? 'navarch';
  const context = `${facts.user}@${cluster}`;
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: cluster,
          cluster: { server: facts.server, 'certificate-authority-data': base64(facts.clusterAuthority) },
        },
      ],
      users: [
        {
          name: facts.user,
          user: {
            'client-certificate-data': base64(facts.credential.certificate),
            'client-key-data': base64(facts.credential.privateKey),
          },
        },
      ],
      contexts: [{ name: context, context: { cluster, user: facts.user } }],
      'current-context': context,
      preferences: {},
    },
    { lineWidth: 0 },
  );
}
