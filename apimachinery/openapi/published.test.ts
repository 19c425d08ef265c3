/** Row "`explain` shows nothing": what `kubectl explain` reads, in both versions of the documents. */
import { describe, expect, it } from 'vitest';
import { builtInScheme } from '../scheme/builtin.js';
import { descriptionFacts, enumFacts, kindRows } from '../scheme/data.js';
import { OpenApi } from './openapi.js';
import type { OpenApiDocument } from './openapi.js';
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';

interface Words {
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Words>>;
  readonly items?: Words;
  readonly additionalProperties?: Words;
}
const fullName = (name: string) => (name.startsWith('io.k8s.') ? name : `io.k8s.api.${name}`);
type Definitions = Readonly<Record<string, Words>>;

const read = (work: Work<OpenApiDocument> | undefined) =>
  JSON.parse(Buffer.from(work === undefined ? '{}' : finish(work).bytes).toString()) as {
    paths: Record<string, unknown>;
    definitions: Definitions;
    components: { schemas: Definitions };
  };
const api = new OpenApi(builtInScheme(), { version: 'v1.36.0' });
const v3 = Object.assign(
  {},
  ...Object.keys(read(api.index()).paths).map((path) => read(api.document(path)).components.schemas),
) as Definitions;
/** What people read most (issue 6, row 40). Volumes of providers that no longer exist have no words. */
const READ_MOST = [
  'core.v1.PodSpec',
  'core.v1.Container',
  'core.v1.ContainerPort',
  'core.v1.EnvVar',
  'core.v1.ResourceRequirements',
  'core.v1.Probe',
  'core.v1.VolumeMount',
  'core.v1.SecurityContext',
  'core.v1.PodTemplateSpec',
  'apps.v1.DeploymentSpec',
  'apps.v1.ReplicaSetSpec',
  'apps.v1.StatefulSetSpec',
  'apps.v1.DaemonSetSpec',
  'batch.v1.JobSpec',
  'batch.v1.CronJobSpec',
  'core.v1.ServiceSpec',
  'core.v1.ServicePort',
  'networking.v1.IngressSpec',
  'core.v1.ConfigMap',
  'core.v1.Secret',
  'core.v1.PersistentVolumeClaimSpec',
  'rbac.v1.Role',
  'rbac.v1.PolicyRule',
  'rbac.v1.ClusterRoleBinding',
  'autoscaling.v2.HorizontalPodAutoscalerSpec',
  'policy.v1.PodDisruptionBudgetSpec',
  'networking.v1.NetworkPolicySpec',
];
const documents: [string, Definitions][] = [
  ['v3', v3],
  ['v2', read(api.v2()).definitions],
];

describe.each(documents)('OpenAPI %s', (_version, definitions) => {
  const fields = Object.entries(enumFacts()).flatMap(([name, fields]) =>
    Object.entries(fields).map(([field, values]) => ({ name, field, values })),
  );

  it.each(fields)('$name $field has its values', ({ name, field, values }) => {
    const property = definitions[name]?.properties?.[field];
    expect(property?.items?.enum ?? property?.additionalProperties?.enum ?? property?.enum).toEqual(values);
  });

  it("a value stands where it is written: in the field, in the list's items, in the map's values", () => {
    expect(definitions['io.k8s.api.core.v1.PodSpec']?.properties?.['restartPolicy']?.enum).toEqual([
      'Always',
      'Never',
      'OnFailure',
    ]);
    expect(
      definitions['io.k8s.api.core.v1.PersistentVolumeClaimSpec']?.properties?.['accessModes']?.items?.enum,
    ).toContain('ReadWriteOncePod');
    expect(
      definitions['io.k8s.api.core.v1.PersistentVolumeClaimStatus']?.properties?.['allocatedResourceStatuses']
        ?.additionalProperties?.enum,
    ).toContain('NodeResizePending');
  });

  it.each(kindRows().map(({ definition }) => definition))(
    '%s is described, with its standard fields and its list',
    (name) => {
      const { description, properties = {} } = definitions[name] ?? {};
      expect(description).toMatch(/^[A-Z].*\.$/);
      for (const field of ['apiVersion', 'kind', 'metadata', 'spec', 'status']) {
        if (properties[field] !== undefined)
          expect(properties[field], field).toMatchObject({
            description: expect.stringMatching(/^[A-Z].*\.$/) as string,
          });
      }
      const list = definitions[`${name}List`]?.properties ?? {};
      for (const property of Object.values(list))
        expect(property).toMatchObject({ description: expect.stringMatching(/^[A-Z]/) as string });
    },
  );

  it.each(Object.entries(descriptionFacts()))(
    '%s: every field that is described is there',
    (name, { '': itself, ...fields }) => {
      const definition = definitions[fullName(name)];
      expect(definition?.description).toBe(itself);
      for (const [field, description] of Object.entries(fields))
        expect(definition?.properties?.[field]?.description, field).toBe(description);
    },
  );

  it.each(READ_MOST)('%s: every field is described', (name) => {
    const properties = Object.entries(definitions[`io.k8s.api.${name}`]?.properties ?? {});
    expect(properties.filter(([, { description }]) => description === undefined).map(([field]) => field)).toEqual([]);
  });
});
