/**
 * What users and attackers get wrong in requests: each gets the status code and the message that Kubernetes gives,
 * through REST, kubectl and gRPC alike; the server lives, and what was acknowledged stays.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { configMaps, deployments } from '../apimachinery/gen/resources.js';
import type { Deployment } from '../apimachinery/gen/types.js';
import { systemClock } from '../platform/clock.js';
import { createClusterPki } from '../platform/pki/cluster-pki.js';
import { issueCertificate } from '../platform/pki/x509.js';
import { systemRandom } from '../platform/random.js';
import { startCluster, type Cluster } from '../testing/index.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { missing } from './lib/requirements.js';
import { Rest, type RestAnswer } from './lib/rest.js';

const context = { clock: systemClock, random: systemRandom };
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const LIFETIME_MS = 3_600_000;
const lacking = missing('bad input by kubectl', ['kubectl']);

type Manifest = Record<string, unknown> & { metadata: Record<string, unknown>; spec: Record<string, unknown> };
function deployment(name: string, spec: Record<string, unknown> = {}): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'web:1' }] } },
      ...spec,
    },
  };
}
const configMap = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

describe('bad input', () => {
  let cluster: Cluster;
  let rest: Rest;
  const ca = () => cluster.pki.clusterAuthority.certificate;
  const server = () => cluster.members[0]?.api ?? '';

  beforeAll(async () => {
    cluster = await startCluster({ members: 1, nodes: 0 });
    rest = new Rest(server(), {
      ca: ca(),
      certificate: cluster.admin.certificate,
      privateKey: cluster.admin.privateKey,
    });
    expect((await rest.post(CONFIG_MAPS, configMap('acknowledged', { kept: 'yes' }))).code).toBe(201);
  });
  afterAll(() => cluster.stop());

  /** After each test, whatever it did: the server answers, and what it has acknowledged is there. */
  afterEach(async () => {
    expect((await rest.get('/readyz')).code).toBe(200);
    expect((JSON.parse((await rest.get(`${CONFIG_MAPS}/acknowledged`)).text) as { data: object }).data).toEqual({
      kept: 'yes',
    });
  });

  const refused = (answer: RestAnswer, code: number, reason: string, message: RegExp) => {
    expect({
      code: answer.code,
      reason: answer.status.reason,
      status: answer.status.status,
      inBody: answer.status.code,
    }).toEqual({ code, reason, status: 'Failure', inBody: code });
    expect(answer.status.message).toMatch(message);
  };

  describe('manifests', () => {
    it('unknown fields: 400 with all of them when validation is strict, a warning otherwise', async () => {
      const body = { ...deployment('unknown', { replica: 2 }), extra: true };
      refused(
        await rest.post(`${DEPLOYMENTS}?fieldValidation=Strict`, body),
        400,
        'BadRequest',
        /strict decoding error: .*unknown field "extra".*unknown field "spec.replica"|unknown field "spec.replica".*unknown field "extra"/,
      );
      expect((await rest.get(`${DEPLOYMENTS}/unknown`)).code).toBe(404);
      expect((await rest.post(`${DEPLOYMENTS}?fieldValidation=Warn&dryRun=All`, body)).code).toBe(201);
    });

    it('wrong types: 400 that names the field', async () => {
      refused(await rest.post(DEPLOYMENTS, deployment('wrong', { replicas: 'three' })), 400, 'BadRequest', /replicas/);
      refused(await rest.post(DEPLOYMENTS, { ...deployment('wrong'), spec: [] }), 400, 'BadRequest', /spec/);
      refused(await rest.send('POST', DEPLOYMENTS, { body: '{"kind": "Deployment",' }), 400, 'BadRequest', /./);
      refused(await rest.send('POST', DEPLOYMENTS, { body: '' }), 400, 'BadRequest', /./);
      refused(await rest.post(DEPLOYMENTS, { ...deployment('wrong'), kind: 'Pod' }), 400, 'BadRequest', /Pod/);
    });

    it('a missing name: 422 with the field as cause', async () => {
      const body = deployment('x');
      body.metadata = {};
      const answer = await rest.post(DEPLOYMENTS, body);
      refused(answer, 422, 'Invalid', /name or generateName is required/);
      expect(answer.status.details?.causes).toContainEqual(
        expect.objectContaining({ field: 'metadata.name', reason: 'FieldValueRequired' }),
      );
    });

    it('a negative replica count: 422 with the field as cause', async () => {
      const answer = await rest.post(DEPLOYMENTS, deployment('negative', { replicas: -1 }));
      refused(answer, 422, 'Invalid', /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/);
      expect(answer.status.details?.causes).toContainEqual(
        expect.objectContaining({ field: 'spec.replicas', reason: 'FieldValueInvalid' }),
      );
    });

    it('a duplicate port: 422', async () => {
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'twice' },
        spec: {
          selector: { app: 'x' },
          ports: [
            { name: 'a', port: 80 },
            { name: 'b', port: 80 },
          ],
        },
      };
      const answer = await rest.post('/api/v1/namespaces/default/services', service);
      refused(answer, 422, 'Invalid', /Duplicate value/);
      expect(answer.status.details?.causes?.[0]).toMatchObject({
        field: 'spec.ports[1]',
        reason: 'FieldValueDuplicate',
      });
    });

    it('4 MiB: 413, before it is read to its end', async () => {
      refused(
        await rest.post(CONFIG_MAPS, configMap('large', { text: 'x'.repeat(4 << 20) })),
        413,
        'RequestEntityTooLarge',
        /limit|large/i,
      );
      expect((await rest.get(`${CONFIG_MAPS}/large`)).code).toBe(404);
    });

    it('a thousand levels: 400, as JSON and as YAML, in known and unknown fields', async () => {
      const deep = '['.repeat(1000) + ']'.repeat(1000);
      for (const where of ['"data": {"x": DEEP}', '"unknown": DEEP', '"metadata": {"name": "deep", "labels": DEEP}']) {
        const body = `{"apiVersion": "v1", "kind": "ConfigMap", ${where.replace('DEEP', deep)}}`;
        for (const contentType of ['application/json', 'application/yaml']) {
          const answer = await rest.send('POST', CONFIG_MAPS, { body, contentType });
          expect([answer.code, answer.status.reason]).toEqual([400, 'BadRequest']);
        }
      }
    });

    it('__proto__ as a label: 422; constructor is a label like any other', async () => {
      const body = (label: string) =>
        `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "labels", "labels": {"${label}": "x"}}}`;
      refused(
        await rest.send('POST', CONFIG_MAPS, { body: body('__proto__') }),
        422,
        'Invalid',
        /metadata\.labels: Invalid value: "__proto__"/,
      );
      expect((await rest.send('POST', CONFIG_MAPS, { body: body('constructor') })).code).toBe(201);
      const patch =
        '{"metadata": {"labels": {"__proto__": {"polluted": "yes"}}}, "__proto__": {"polluted": "yes"}, "data": {"toString": "mine"}}';
      const answer = await rest.send('PATCH', `${CONFIG_MAPS}/labels`, {
        body: patch,
        contentType: 'application/merge-patch+json',
      });
      expect(answer.code).toBeGreaterThanOrEqual(400);
      expect(answer.code).toBeLessThan(500);
      expect(Reflect.get({}, 'polluted')).toBeUndefined();
      const stored = JSON.parse((await rest.get(`${CONFIG_MAPS}/labels`)).text) as {
        metadata: { labels: Record<string, string> };
      };
      expect(Object.entries(stored.metadata.labels)).toEqual([['constructor', 'x']]);
    });

    it('a YAML alias bomb: 400 at once', async () => {
      const levels = Array.from(
        { length: 12 },
        (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`,
      );
      const body = [
        'apiVersion: v1',
        'kind: ConfigMap',
        'metadata: {name: bomb}',
        'a0: &a0 boom',
        ...levels,
        'data: *a12',
      ].join('\n');
      const begun_ms = systemClock.monotonic();
      const answer = await rest.send('POST', CONFIG_MAPS, { body, contentType: 'application/yaml' });
      refused(answer, 400, 'BadRequest', /alias|too (large|many|deep)|limit/i);
      // Not a benchmark: unfolded it would have taken longer than the universe has.
      expect(systemClock.monotonic() - begun_ms).toBeLessThan(5000);
    });

    it('what the server does not speak: 415, 406, 405, 404', async () => {
      refused(
        await rest.send('POST', CONFIG_MAPS, { body: 'name=x', contentType: 'application/x-www-form-urlencoded' }),
        415,
        'UnsupportedMediaType',
        /./,
      );
      refused(await rest.send('PUT', CONFIG_MAPS, { body: '{}' }), 405, 'MethodNotAllowed', /./);
      expect((await rest.get('/api/v1/namespaces/default/nothings')).code).toBe(404);
    });

    it('over gRPC: the same errors', async () => {
      const negative = deployment('negative', { replicas: -1 }) as unknown as Deployment;
      await expect(
        cluster.client.create(deployments, { ...negative, metadata: { ...negative.metadata, namespace: 'default' } }),
      ).rejects.toMatchObject({
        reason: 'Invalid',
        message: expect.stringContaining('must be greater than or equal to 0') as string,
      });
      await expect(cluster.client.create(configMaps, { metadata: { namespace: 'default' } })).rejects.toMatchObject({
        reason: 'Invalid',
      });
    });
  });

  describe('who asks', () => {
    it('a bad token: 401', async () => {
      for (const token of ['garbage', 'a.b.c', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06YWRtaW4ifQ.'])
        refused(await new Rest(server(), { ca: ca(), token }).get(CONFIG_MAPS), 401, 'Unauthorized', /./);
    });

    it('a certificate of another CA: 401', async () => {
      const other = await createClusterPki(context);
      const stranger = await issueCertificate(
        other.clusterAuthority,
        {
          subject: { commonName: 'kubernetes-admin', organizations: ['system:masters'] },
          usages: ['client'],
          lifetime_ms: LIFETIME_MS,
        },
        context,
      );
      refused(await new Rest(server(), { ca: ca(), ...stranger }).get(CONFIG_MAPS), 401, 'Unauthorized', /./);
    });

    it('a user without rights: 403 that says who may not do what', async () => {
      const alice = await issueCertificate(
        cluster.pki.clusterAuthority,
        { subject: { commonName: 'alice' }, usages: ['client'], lifetime_ms: LIFETIME_MS },
        context,
      );
      const asAlice = new Rest(server(), { ca: ca(), ...alice });
      refused(
        await asAlice.post(CONFIG_MAPS, configMap('by-alice')),
        403,
        'Forbidden',
        /configmaps is forbidden: User "alice" cannot create resource "configmaps" in API group "" in the namespace "default"/,
      );
      refused(
        await asAlice.get(`${CONFIG_MAPS}/acknowledged`),
        403,
        'Forbidden',
        /configmaps "acknowledged" is forbidden: User "alice" cannot get/,
      );
      expect((await asAlice.get('/version')).code).toBe(200);
    });

    it('nobody: no objects', async () => {
      expect([401, 403]).toContain((await new Rest(server(), { ca: ca() }).get(CONFIG_MAPS)).code);
    });
  });

  describe.skipIf(lacking.length > 0)('by kubectl', () => {
    it('says what is wrong, and exits 1', async () => {
      const kubectl = new Kubectl(findKubectl() ?? '', await cluster.kubeconfig());
      try {
        const create = (manifest: unknown) => kubectl.run(['create', '-f', '-'], { stdin: JSON.stringify(manifest) });
        for (const [manifest, message] of [
          [deployment('unknown', { replica: 2 }), /unknown field "spec.replica"/],
          [deployment('wrong', { replicas: 'three' }), /replicas/],
          [
            deployment('negative', { replicas: -1 }),
            /The Deployment "negative" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0/,
          ],
          [{ ...deployment('x'), metadata: {} }, /name or generateName is required/],
        ] as const) {
          const { code, stderr } = await create(manifest);
          expect(stderr).toMatch(message);
          expect(code).toBe(1);
        }
      } finally {
        await kubectl.close();
      }
    });
  });
});
