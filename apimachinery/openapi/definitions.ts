/** The closure of definitions that an OpenAPI document needs. */
import { API_VERSION, KIND } from '../crd/schema.js';
import type { Kind, Scheme } from '../kind.js';
import type { GroupVersionKind, ResourceId } from '../object.js';
import type { JsonObject } from '../value.js';
import { writeCustomRoot } from './custom.js';
import { published } from './published.js';
import type { SchemaWriter } from './schema-writer.js';

export const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const GVK = 'x-kubernetes-group-version-kind';

/** `com.example.v1.Widget`: what a kind without a named definition is called. */
export function definitionNameOf(kind: Kind): string {
  return kind.schema.ref ?? [...kind.group.split('.').reverse(), kind.version, kind.kind].join('.');
}

/**
 * Every definition that the kinds need, by name: their own, their lists, and all that these and the writer's operations
 * refer to.
 */
export function* definitionsOf(
  scheme: Scheme,
  kinds: readonly Kind[],
  writer: SchemaWriter,
): Generator<readonly [string, JsonObject]> {
  const written = new Set<string>();
  const gvks = new Map(scheme.kinds().map((kind) => [definitionNameOf(kind), gvkOf(kind)]));
  for (const kind of kinds) {
    const name = definitionNameOf(kind);
    if (kind.schema.ref === undefined) {
      written.add(name);
      yield [
        name,
        {
          ...(kind.isCustom === true ? writeCustomRoot(kind, writer) : writer.write(kind.schema)),
          [GVK]: [gvkOf(kind)],
        },
      ];
    } else {
      writer.reached.add(name);
    }
    if (!kind.verbs.includes('list')) continue;
    written.add(`${name}List`);
    yield [`${name}List`, listOf(kind, name, writer)];
  }
  const [first] = kinds;
  const optionsKind =
    first === undefined ? [] : [{ group: first.group, kind: 'DeleteOptions', version: first.version }];
  // A Set may grow while it is walked: what a definition reaches is met later in the same walk.
  for (const name of writer.reached) {
    if (written.has(name)) continue;
    const kinds = name === `${META}.DeleteOptions` ? optionsKind : gvks.has(name) ? [gvks.get(name)] : knownKind(name);
    yield [
      name,
      { ...writer.write(published(name, scheme.definition(name))), ...(kinds.length === 0 ? {} : { [GVK]: kinds }) },
    ];
  }
}

function listOf(kind: Kind, name: string, writer: SchemaWriter): JsonObject {
  return {
    description: `${kind.listKind} is a list of ${kind.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: writer.write(API_VERSION),
      kind: writer.write(KIND),
      items: { description: `List of ${kind.resource}.`, type: 'array', items: writer.ref(name) },
      metadata: writer.write({
        ref: `${META}.ListMeta`,
        description: 'Metadata of the list: its version, and where it goes on.',
      }),
    },
    [GVK]: [{ group: kind.group, kind: kind.listKind, version: kind.version }],
  };
}

/** Bodies of subresources are kinds that no resource has. */
const SUBRESOURCE_KINDS: Readonly<Record<string, GroupVersionKind>> = {
  'io.k8s.api.autoscaling.v1.Scale': { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  'io.k8s.api.policy.v1.Eviction': { group: 'policy', version: 'v1', kind: 'Eviction' },
  'io.k8s.api.authentication.v1.TokenRequest': { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  [`${META}.Status`]: { group: '', version: 'v1', kind: 'Status' },
};

const knownKind = (name: string): GroupVersionKind[] => {
  const kind = Object.hasOwn(SUBRESOURCE_KINDS, name) ? SUBRESOURCE_KINDS[name] : undefined;
  return kind === undefined ? [] : [kind];
};

/** The definition of a subresource's body; undefined where it has none (the options of a connection). */
export function bodyDefinition(scheme: Scheme, gvk: GroupVersionKind): string | undefined {
  const kind = scheme.byKind(gvk);
  if (kind !== undefined) return definitionNameOf(kind);
  return Object.entries(SUBRESOURCE_KINDS).find(
    ([, other]) => other.group === gvk.group && other.version === gvk.version && other.kind === gvk.kind,
  )?.[0];
}

export function gvkOf(kind: GroupVersionKind): JsonObject {
  return { group: kind.group, kind: kind.kind, version: kind.version };
}

/** `/apis/apps/v1`, `/api/v1`. */
export function pathPrefix(id: Pick<ResourceId, 'group' | 'version'>): string {
  return id.group === '' ? `/api/${id.version}` : `/apis/${id.group}/${id.version}`;
}
