import { expect, it } from 'vitest';
import type { Service } from '../../apimachinery/gen/types.js';
import { mayLabel } from './node-writer.js';
import { mergeStatus } from './pod-writer.js';
import { serviceEnvironment } from './service-environment.js';

it('Services become variables', () => {
  const service: Service = {
    metadata: { name: 'my-db' },
    spec: { clusterIP: '10.0.0.5', ports: [{ name: 'sql', port: 5432 }] },
  };
  expect(
    serviceEnvironment([
      service,
      { metadata: { name: 'headless' }, spec: { clusterIP: 'None', ports: [{ port: 1 }] } },
    ]),
  ).toEqual({
    MY_DB_SERVICE_HOST: '10.0.0.5',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_SQL: '5432',
    MY_DB_PORT: 'tcp://10.0.0.5:5432',
    MY_DB_PORT_5432_TCP: 'tcp://10.0.0.5:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: '10.0.0.5',
  });
});

it.each([
  ['kubernetes.io/arch', true],
  ['example.test/rack', true],
  ['node-role.kubernetes.io/control-plane', false],
  ['node-restriction.kubernetes.io/x', false],
  ['x.k8s.io/y', false],
])('a worker labelling itself %s: %s', (label, may) => {
  expect(mayLabel(label)).toBe(may);
});

it('a final phase stays, and foreign conditions and fields do', () => {
  const stored = {
    phase: 'Failed',
    nominatedNodeName: 'w9',
    conditions: [{ type: 'DisruptionTarget', status: 'True' }],
  };
  const reported = {
    phase: 'Running',
    nominatedNodeName: 'mine',
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'DisruptionTarget', status: 'False' },
    ],
  };
  expect(mergeStatus(stored, reported)).toEqual({
    phase: 'Failed',
    nominatedNodeName: 'w9',
    conditions: [
      { type: 'DisruptionTarget', status: 'True' },
      { type: 'Ready', status: 'True' },
    ],
  });
});
