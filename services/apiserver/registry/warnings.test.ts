/**
 * What kube-apiserver v1.36 answers in Warning headers with the writes that it takes (row 42): the data holds its
 * answers to the same objects.
 */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { UnknownObject } from '../../../apimachinery/object.js';
import { groupResourceOf } from '../../../apimachinery/object.js';
import { selfSigned } from '../testing/api-server.js';
import { startRegistry } from './testing.js';

type Row = readonly [resource: string, object: UnknownObject, warnings: readonly string[]];
const rows = JSON.parse(readFileSync(new URL('./testdata/warnings.json', import.meta.url), 'utf8')) as readonly Row[];

let started: Awaited<ReturnType<typeof startRegistry>>;

beforeAll(async () => {
  started = await startRegistry();
  return () => started[Symbol.asyncDispose]();
});

function placeOf(name: string) {
  const kind = started.scheme.kinds().find((row) => groupResourceOf(row) === name);
  if (kind === undefined) throw new Error(`no resource ${name}`);
  return { kind, resource: kind, ...(kind.namespaced ? { namespace: 'n' } : {}) };
}

const typed = (name: string, object: UnknownObject): UnknownObject => {
  const { kind } = placeOf(name);
  return { ...object, apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`, kind: kind.kind };
};

async function warningsOf(write: (options: object) => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = [];
  await write({ report: { warn: (message: string) => warnings.push(message), created: () => undefined } });
  return warnings;
}

const created = (name: string, object: UnknownObject, dryRun = true): Promise<string[]> =>
  warningsOf((options) => started.service.create({ ...placeOf(name), object: typed(name, object), dryRun }, options));

describe('warnings of a create', () => {
  it.each(rows.map((row, index) => [`${index} ${row[0]}`, row] as const))(
    '%s',
    async (_title, [name, object, warnings]) => {
      // The same text is sent once.
      expect([...new Set(await created(name, object))].sort()).toEqual([...warnings].sort());
    },
  );

  it('none for a plain object of each kind', async () => {
    expect(
      await created('pods', { metadata: { name: 'a' }, spec: { containers: [{ name: 'c', image: 'i' }] } }),
    ).toEqual([]);
    expect(await created('services', { metadata: { name: 'a' }, spec: { ports: [{ port: 1 }] } })).toEqual([]);
  });
});

describe('warnings of an update', () => {
  const update = async (
    name: string,
    object: UnknownObject,
    change: (draft: Record<string, Record<string, unknown>>) => void,
  ): Promise<string[]> => {
    const rest = placeOf(name);
    const stored = (await started.service.create({ ...rest, object: typed(name, object) })).object;
    const draft = structuredClone(stored) as unknown as Record<string, Record<string, unknown>>;
    change(draft);
    return warningsOf((options) =>
      started.service.update({ ...rest, name: stored.metadata?.name ?? '', object: draft as never }, options),
    );
  };
  const ports = [{ containerPort: 1 }, { containerPort: 1 }];
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i', ports }] } };
  const workload = (name: string) => ({
    metadata: { name },
    spec: { selector: { matchLabels: { a: 'b' } }, template },
  });
  const DUPLICATE =
    'spec.template.spec.containers[0].ports[1]: duplicate port definition with spec.template.spec.containers[0].ports[0]';

  it('of a template are said again when the spec changes, and not for its labels', async () => {
    expect(
      await update(
        'deployments.apps',
        workload('a'),
        (draft) => void Object.assign(draft['spec'] ?? {}, { replicas: 3 }),
      ),
    ).toEqual([DUPLICATE]);
    expect(
      await update(
        'deployments.apps',
        workload('b'),
        (draft) => void Object.assign(draft['metadata'] ?? {}, { labels: { x: 'y' } }),
      ),
    ).toEqual([]);
    expect(
      await update(
        'daemonsets.apps',
        workload('a'),
        (draft) => void Object.assign(draft['spec'] ?? {}, { minReadySeconds: 3 }),
      ),
    ).toEqual([]);
  });

  it('are none for pods: controllers write them all the time', async () => {
    expect(
      await update(
        'pods',
        { metadata: { name: 'a' }, spec: template.spec },
        (draft) => void Object.assign(draft['metadata'] ?? {}, { labels: { x: 'y' } }),
      ),
    ).toEqual([]);
  });
});

describe('a certificate and its key', () => {
  const pem = (type: string, body = 'YQ==') => `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`;
  const rsa = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  }).privateKey;
  const other = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey;

  it('are a pair, or the answer says in the words of Go why not', async () => {
    const { certificate, key } = await selfSigned();
    const cases: readonly (readonly [string, string, string | undefined])[] = [
      [certificate, key, undefined],
      [`${pem('FOO')}${certificate}`, `${pem('FOO')}${key}`, undefined],
      ['x', key, 'tls: failed to find any PEM data in certificate input'],
      [certificate, 'x', 'tls: failed to find any PEM data in key input'],
      [
        key,
        certificate,
        'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched',
      ],
      [certificate, certificate, 'tls: found a certificate rather than a key in the PEM for the private key'],
      [
        pem('FOO'),
        key,
        'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [FOO]',
      ],
      [
        certificate,
        pem('FOO'),
        'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [FOO]',
      ],
      [pem('CERTIFICATE'), key, 'x509: malformed certificate'],
      [certificate, pem('PRIVATE KEY'), 'tls: failed to parse private key'],
      [certificate, other, 'tls: private key does not match public key'],
      [certificate, rsa, 'tls: private key type does not match public key type'],
    ];
    for (const [crt, secret, warning] of cases) {
      const data = {
        'tls.crt': Buffer.from(crt).toString('base64'),
        'tls.key': Buffer.from(secret).toString('base64'),
      };
      expect(await created('secrets', { metadata: { name: 'a' }, type: 'kubernetes.io/tls', data })).toEqual(
        warning === undefined ? [] : [warning],
      );
    }
  });
});
