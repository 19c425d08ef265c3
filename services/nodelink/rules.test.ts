import { describe, expect, it } from 'vitest';
import type { Pod, Service } from '../../apimachinery/gen/types.js';
import { mayLabel } from './node-writer.js';
import { mergeStatus } from './pod-writer.js';
import { referencesOf, wantsToken } from './references.js';
import { serviceEnvironment } from './service-environment.js';

describe('what a pod refers to', () => {
  it('counts every container, volume and pull secret (CVE-2023-2727, CVE-2024-3177)', () => {
    const pod: Pod = { spec: {
      imagePullSecrets: [{ name: 's1' }],
      initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 's2' } }] }],
      containers: [{ name: 'c', env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'c1', key: 'k' } } }, { name: 'B', value: 's9' }] }],
      ephemeralContainers: [{ name: 'e', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's3', key: 'k' } } }] }],
      volumes: [{ name: 'a', secret: { secretName: 's4' } }, { name: 'b', projected: { sources: [{ configMap: { name: 'c2' } }, { secret: { name: 's5' } }] } }],
    } };
    const { configMaps, secrets } = referencesOf(pod);
    expect([[...configMaps].toSorted(), [...secrets].toSorted()]).toEqual([['c1', 'c2'], ['s1', 's2', 's3', 's4', 's5']]);
  });

  it('names the audiences of its tokens', () => {
    const pod: Pod = { spec: { containers: [], volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'vault' } }] } }] } };
    expect([wantsToken(pod, 'vault'), wantsToken(pod, '')]).toEqual([true, false]);
  });
});

it('Services become variables', () => {
  const service: Service = { metadata: { name: 'my-db' }, spec: { clusterIP: '10.0.0.5', ports: [{ name: 'sql', port: 5432 }] } };
  expect(serviceEnvironment([service, { metadata: { name: 'headless' }, spec: { clusterIP: 'None', ports: [{ port: 1 }] } }])).toEqual({
    MY_DB_SERVICE_HOST: '10.0.0.5', MY_DB_SERVICE_PORT: '5432', MY_DB_SERVICE_PORT_SQL: '5432', MY_DB_PORT: 'tcp://10.0.0.5:5432',
    MY_DB_PORT_5432_TCP: 'tcp://10.0.0.5:5432', MY_DB_PORT_5432_TCP_PROTO: 'tcp', MY_DB_PORT_5432_TCP_PORT: '5432', MY_DB_PORT_5432_TCP_ADDR: '10.0.0.5',
  });
});

it.each([['kubernetes.io/arch', true], ['example.test/rack', true], ['node-role.kubernetes.io/control-plane', false], ['node-restriction.kubernetes.io/x', false], ['x.k8s.io/y', false]])('a worker labelling itself %s: %s', (label, may) => {
  expect(mayLabel(label)).toBe(may);
});

it('a final phase stays, and foreign conditions and fields do', () => {
  const stored = { phase: 'Failed', nominatedNodeName: 'w9', conditions: [{ type: 'DisruptionTarget', status: 'True' }] };
  const reported = { phase: 'Running', nominatedNodeName: 'mine', conditions: [{ type: 'Ready', status: 'True' }, { type: 'DisruptionTarget', status: 'False' }] };
  expect(mergeStatus(stored, reported)).toEqual({
    phase: 'Failed', nominatedNodeName: 'w9', conditions: [{ type: 'DisruptionTarget', status: 'True' }, { type: 'Ready', status: 'True' }],
  });
});
