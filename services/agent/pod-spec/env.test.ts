import { describe, expect, it } from 'vitest';
import { ConfigError, environmentOf, expand, fieldValue } from './env.js';
import type { PodSources } from './env.js';
import type { Container, Pod } from './types.js';

const pod: Pod = {
  metadata: {
    namespace: 'ns',
    name: 'a',
    uid: 'u',
    labels: { app: 'web', constructor: 'odd' },
    annotations: { note: 'say "hi"\nthere' },
  },
  spec: { containers: [], serviceAccountName: 'robot' },
};
const sources: PodSources = {
  configMap: (_ns, name) => (name === 'c' ? { data: { k: 'v', __proto__x: '1' } } : undefined),
  secret: (_ns, name) => (name === 's' ? { data: { k: Buffer.from('säcret').toString('base64') } } : undefined),
  serviceEnvironment: { DB_SERVICE_HOST: '10.0.0.1', K: 'from services' },
  podIPs: ['10.1.0.1', 'fd00::1'],
  hostIP: '192.0.2.1',
  nodeName: 'w1',
  allocatable: { cpu: '4', memory: '1Gi' },
};
const env = (container: Partial<Container>) =>
  Object.fromEntries(environmentOf(pod, { name: 'x', ...container }, sources));

describe('$(NAME) in commands and values (Kubernetes: "Define dependent environment variables")', () => {
  it.each([
    ['$(A)-$(B)', '1-$(B)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(A', '$(A'],
    ['$A $()', '$A $()'],
    ['', ''],
  ])('%s -> %s', (text, expected) => {
    expect(expand(text, new Map([['A', '1']]))).toBe(expected);
  });
});

describe('variables', () => {
  it('see what came before them, and Services', () => {
    expect(
      env({
        env: [
          { name: 'A', value: '$(DB_SERVICE_HOST)$(B)' },
          { name: 'B', value: '$(A)!' },
        ],
      }),
    ).toMatchObject({ A: '10.0.0.1$(B)', B: '10.0.0.1$(B)!' });
  });

  it('override envFrom, which overrides Services', () => {
    expect(
      env({ envFrom: [{ prefix: 'P_', configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }] }),
    ).toMatchObject({ P_k: 'v', k: 'säcret', K: 'from services' });
    expect(env({ envFrom: [{ configMapRef: { name: 'c' } }], env: [{ name: 'k', value: 'mine' }] })['k']).toBe('mine');
  });

  it('come from fields and resources', () => {
    const container: Partial<Container> = {
      resources: { limits: { cpu: '1500m' }, requests: { memory: '64Mi' } },
      env: [
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'MILLI', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
        { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'requests.memory', divisor: '1Mi' } } },
        { name: 'ALL', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
    };
    expect(env(container)).toMatchObject({ CPU: '2', MILLI: '1500', MEM: '64', ALL: '1073741824', IP: '10.1.0.1' });
  });

  it('refuse what is missing, unless it is optional', () => {
    const missing =
      (name: string, key: string, optional = false) =>
      () =>
        env({ env: [{ name: 'X', valueFrom: { secretKeyRef: { name, key, optional } } }] });
    expect(missing('none', 'k')).toThrow(new ConfigError('secret "none" not found'));
    expect(missing('s', 'none')).toThrow(new ConfigError("couldn't find key none in Secret ns/s"));
    expect(missing('s', 'toString')).toThrow(ConfigError);
    expect(missing('none', 'k', true)()).not.toHaveProperty('X');
  });
});

describe('fields', () => {
  it.each([
    ["metadata.labels['app']", 'web'],
    ["metadata.labels['constructor']", 'odd'],
    ["metadata.labels['toString']", ''],
    ['metadata.annotations', 'note="say \\"hi\\"\\nthere"'],
    ['status.podIPs', '10.1.0.1,fd00::1'],
    ['spec.serviceAccountName', 'robot'],
  ])('%s is %s', (path, expected) => {
    expect(fieldValue(pod, path, sources)).toBe(expected);
  });

  it('refuses paths it does not know', () => {
    expect(() => fieldValue(pod, 'spec.containers', sources)).toThrow('unsupported fieldPath');
  });
});
