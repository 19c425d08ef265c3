// Compiles Kubernetes' published facts (OpenAPI v2 without prose, protobuf field numbers) into apimachinery/data/:
//   kinds.json        one row for each resource that is served
//   definitions.json  the schemas those rows reach, in the shape of apimachinery/schema.ts
//   protobuf.json     every message's fields, one short string each, parsed only when a message is met
// The result is committed; the inputs are needed only to compile anew: node scripts/compile-kinds.mjs [folder of facts]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const source = process.argv[2] ?? join('..', 'shared', 'data');
const openapiFile = join(source, 'kubernetes-openapi-facts.json');
if (!existsSync(openapiFile)) {
  console.error(`compile-kinds: no facts in ${source}; the compiled data in apimachinery/data stays as it is`);
  process.exit(1);
}
const openapi = JSON.parse(readFileSync(openapiFile, 'utf8'));
const protobuf = JSON.parse(readFileSync(join(source, 'kubernetes-protobuf.json'), 'utf8'));

// In v1.36 every beta version is off by default (KEP-3136), so what is served is the stable versions.
const SERVED_VERSION = /^v\d+$/;
const REF_PREFIX = '#/definitions/';
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const lowerFirst = (text) => text[0].toLowerCase() + text.slice(1);

// ---- rows -------------------------------------------------------------------------------------------------------

const VERB_OF_ACTION = {
  list: 'list',
  get: 'get',
  post: 'create',
  put: 'update',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'deletecollection',
  watch: 'watch',
  watchlist: 'watch',
};
const VERB_OF_METHOD = { get: 'get', post: 'create', put: 'update', patch: 'patch', delete: 'delete' };

/** Splits a path of the API into what it addresses; undefined for paths that are not about resources. */
function addressOf(path) {
  const match =
    /^\/(?:api|apis\/([^/]+))\/([^/]+)(\/watch)?(\/namespaces\/\{namespace\})?\/([a-z]+)(\/\{name\})?(?:\/([a-z]+))?(\/\{path\})?$/.exec(
      path,
    );
  if (match === null) return undefined;
  const [, group = '', version, , namespaced, resource, , subresource] = match;
  return { group, version, namespaced: namespaced !== undefined, resource, subresource };
}

function compileRows() {
  const rows = new Map();
  for (const [path, item] of Object.entries(openapi.paths)) {
    const address = addressOf(path);
    if (address === undefined || !SERVED_VERSION.test(address.version)) continue;
    for (const [method, operation] of Object.entries(item)) {
      const gvk = operation['x-kubernetes-group-version-kind'];
      if (gvk === undefined) continue;
      const id = `${address.group}/${address.version}/${address.resource}`;
      if (!rows.has(id)) {
        rows.set(id, {
          group: address.group,
          version: address.version,
          kind: '',
          plural: address.resource,
          namespaced: false,
          verbs: new Set(),
          subresources: new Map(),
        });
      }
      const row = rows.get(id);
      if (address.namespaced) row.namespaced = true;
      const action = operation['x-kubernetes-action'];
      if (address.subresource === undefined) {
        row.kind = gvk.kind;
        row.verbs.add(VERB_OF_ACTION[action]);
        continue;
      }
      const sub = row.subresources.get(address.subresource) ?? { gvk, verbs: new Set() };
      const verb = action === 'connect' ? VERB_OF_METHOD[method] : VERB_OF_ACTION[action];
      if (verb !== undefined) sub.verbs.add(verb);
      row.subresources.set(address.subresource, sub);
    }
  }
  return [...rows.values()].map(compactRow);
}

function compactRow(row) {
  const definition = definitionOf(row);
  const subresources = [...row.subresources]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { gvk, verbs }]) => {
      const same = gvk.group === row.group && gvk.version === row.version && gvk.kind === row.kind;
      const compact = { name, verbs: [...verbs].sort(byText) };
      return same ? compact : { ...compact, group: gvk.group, version: gvk.version, kind: gvk.kind };
    });
  return {
    group: row.group,
    version: row.version,
    kind: row.kind,
    plural: row.plural,
    singular: row.kind.toLowerCase(),
    ...(row.verbs.has('list') ? { listKind: `${row.kind}List` } : {}),
    namespaced: row.namespaced,
    verbs: [...row.verbs].sort(byText),
    ...(subresources.length === 0 ? {} : { subresources }),
    definition,
  };
}

/** The definition that carries a kind. DeleteOptions and WatchEvent carry many; kinds of rows never are among them. */
function definitionOf({ group, version, kind }) {
  const found = Object.entries(openapi.definitions).find(
    ([name, definition]) =>
      name.endsWith(`.${version}.${kind}`) &&
      definition['x-kubernetes-group-version-kind']?.some(
        (g) => g.group === group && g.version === version && g.kind === kind,
      ),
  );
  if (found === undefined) throw new Error(`no definition of ${group}/${version} ${kind}`);
  return found[0];
}

// ---- definitions ------------------------------------------------------------------------------------------------

/** What OpenAPI v2 cannot say about a few types, and defaults that list keys depend on. */
const REFINEMENTS = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: 'string', format: 'quantity' },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { format: 'int-or-string', intOrString: true },
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': { type: 'string', format: 'micro-time' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { type: 'object', preserveUnknown: true, mapType: 'atomic' },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object', preserveUnknown: true, mapType: 'atomic' },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': { preserveUnknown: true },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': { preserveUnknown: true },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': { preserveUnknown: true },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': { preserveUnknown: true },
};
const PROPERTY_DEFAULTS = {
  'io.k8s.api.core.v1.ServicePort': { protocol: 'TCP' },
  'io.k8s.api.core.v1.ContainerPort': { protocol: 'TCP' },
  'io.k8s.api.core.v1.LocalObjectReference': { name: '' },
};
const KEYWORDS = {
  type: 'type',
  format: 'format',
  required: 'required',
  'x-kubernetes-list-type': 'listType',
  'x-kubernetes-list-map-keys': 'listMapKeys',
  'x-kubernetes-map-type': 'mapType',
  'x-kubernetes-patch-strategy': 'patchStrategy',
  'x-kubernetes-patch-merge-key': 'patchMergeKey',
};

function compactSchema(facts, reached) {
  const schema = {};
  if (facts.$ref !== undefined) {
    schema.ref = facts.$ref.slice(REF_PREFIX.length);
    reached(schema.ref);
  }
  for (const [keyword, name] of Object.entries(KEYWORDS)) {
    if (facts[keyword] !== undefined) schema[name] = facts[keyword];
  }
  if (facts.properties !== undefined) {
    schema.properties = Object.fromEntries(
      Object.entries(facts.properties).map(([name, p]) => [name, compactSchema(p, reached)]),
    );
  }
  if (facts.items !== undefined) schema.items = compactSchema(facts.items, reached);
  if (facts.additionalProperties !== undefined)
    schema.additionalProperties = compactSchema(facts.additionalProperties, reached);
  return schema;
}

function compileDefinitions(rows) {
  const definitions = {};
  const queue = [
    'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions',
    'io.k8s.apimachinery.pkg.apis.meta.v1.Status',
    'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta',
  ];
  for (const row of rows) {
    queue.push(row.definition);
    for (const sub of row.subresources ?? []) {
      if (sub.kind !== undefined && !sub.kind.endsWith('Options')) queue.push(definitionOf(sub));
    }
  }
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (definitions[name] !== undefined) continue;
    const schema = REFINEMENTS[name] ?? compactSchema(openapi.definitions[name], (ref) => queue.push(ref));
    for (const [property, value] of Object.entries(PROPERTY_DEFAULTS[name] ?? {}))
      schema.properties[property].default = value;
    definitions[name] = schema;
  }
  return Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)));
}

// ---- protobuf ---------------------------------------------------------------------------------------------------

/**
 * Scalars that are pointers in Kubernetes' own types: an explicit zero is a value, not an absence. Absent from OpenAPI.
 */
const POINTERS = new Set(
  `
  replicas revisionHistoryLimit progressDeadlineSeconds parallelism completions backoffLimit backoffLimitPerIndex maxFailedIndexes
  activeDeadlineSeconds ttlSecondsAfterFinished manualSelector suspend startingDeadlineSeconds successfulJobsHistoryLimit
  failedJobsHistoryLimit timeZone terminationGracePeriodSeconds runAsUser runAsGroup runAsNonRoot privileged readOnlyRootFilesystem
  allowPrivilegeEscalation fsGroup defaultMode mode optional automountServiceAccountToken enableServiceLinks shareProcessNamespace
  hostUsers tolerationSeconds priority gracePeriodSeconds deletionGracePeriodSeconds immutable controller blockOwnerDeletion
  allowVolumeExpansion minReplicas averageUtilization leaseDurationSeconds leaseTransitions storageClassName
  volumeAttributesClassName ready serving terminating ingressClassName runtimeClassName setHostnameAsFQDN
  allocateLoadBalancerNodePorts partition orphanDependents expirationSeconds stabilizationWindowSeconds started
  attachRequired podInfoOnMount storageCapacity requiresRepublish seLinuxMount apiGroup uid resourceVersion hostnameOverride
  sinceSeconds tailLines limitBytes endPort
`
    .split(/\s+/)
    .filter((name) => name !== ''),
);
/** Fields of those names that are plain values where the message's name ends so. */
const PLAIN = [/Status$/, /^ObjectMeta$/, /^ObjectReference$/, /^OwnerReference$/, /^BoundObjectReference$/];
const POINTERS_NEVER_PLAIN = new Set(['deletionGracePeriodSeconds', 'controller', 'blockOwnerDeletion', 'started']);
/** Names the two serializations spell differently, where OpenAPI does not show the rule. */
const RENAMED = { aPIGroup: 'apiGroup', uID: 'uid' };

const SCALARS = { string: 's', int32: 'i', int64: 'l', bool: 'b', bytes: 'y', double: 'd' };

const openapiName = (message) =>
  message
    .replace(/^k8s\.io\./, 'io.k8s.')
    .replace('apiextensions_apiserver', 'apiextensions-apiserver')
    .replace('kube_aggregator', 'kube-aggregator');
const simpleName = (name) => name.slice(name.lastIndexOf('.') + 1);
const packageOf = (name) => name.slice(0, name.lastIndexOf('.'));

/** What the versions that OpenAPI describes teach about messages of the same simple name in the others. */
function learnSpellings() {
  const inline = new Set();
  const required = new Set();
  for (const [message, fields] of Object.entries(protobuf)) {
    const properties = openapi.definitions[openapiName(message)]?.properties;
    if (properties === undefined) continue;
    for (const name of openapi.definitions[openapiName(message)].required ?? [])
      required.add(`${simpleName(message)}.${name}`);
    for (const [field, { type, repeated }] of Object.entries(fields)) {
      const parts = openapi.definitions[openapiName(type)]?.properties ?? {};
      if (
        properties[field] === undefined &&
        repeated !== true &&
        protobuf[type] !== undefined &&
        (Object.keys(parts).some((part) => properties[part] !== undefined) || simpleName(type) === 'ProbeHandler')
      ) {
        inline.add(`${simpleName(message)}.${field}`);
      } else if (
        properties[field] === undefined &&
        protobuf[type] !== undefined &&
        repeated !== true &&
        openapi.definitions[openapiName(type)] === undefined
      )
        inline.add(`${simpleName(message)}.${field}`);
    }
  }
  return { inline, required };
}

function jsonNameOf(message, field) {
  if (openapi.definitions[openapiName(message)]?.properties?.[field] !== undefined) return field;
  if (RENAMED[field] !== undefined) return RENAMED[field];
  if (simpleName(message) === 'JSONSchemaProps') {
    if (field === 'ref' || field === 'schema') return `$${field}`;
    if (field.startsWith('xKubernetes')) return field.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  }
  return lowerFirst(field);
}

function compileProtobuf() {
  const { inline, required } = learnSpellings();
  const packages = [...new Set(Object.keys(protobuf).map(packageOf))].sort(byText);
  const messages = Object.fromEntries(packages.map((name) => [name, {}]));
  for (const [message, fields] of Object.entries(protobuf)) {
    const own = simpleName(message);
    messages[packageOf(message)][own] = Object.entries(fields)
      .sort(([, a], [, b]) => a.number - b.number)
      .map(([field, facts]) => {
        const name = jsonNameOf(message, field);
        const plain = PLAIN.some((pattern) => pattern.test(own)) && !POINTERS_NEVER_PLAIN.has(name);
        const keepsZero = required.has(`${own}.${name}`) || (POINTERS.has(name) && !plain);
        const shape = inline.has(`${own}.${field}`)
          ? '^'
          : facts.mapKey !== undefined
            ? '%'
            : facts.repeated === true
              ? '*'
              : '';
        const type =
          SCALARS[facts.type] ??
          (packageOf(facts.type) === packageOf(message)
            ? `.${simpleName(facts.type)}`
            : `${packages.indexOf(packageOf(facts.type))}.${simpleName(facts.type)}`);
        return `${name}=${facts.number}${shape}${keepsZero ? '!' : ''}:${type}`;
      })
      .join(' ');
  }
  return { packages, messages };
}

// ---- output -----------------------------------------------------------------------------------------------------

/** One entry a line: small to load, and a change shows as the lines it touches. */
const lines = (object) =>
  `{\n${Object.entries(object)
    .map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`)
    .join(',\n')}\n}\n`;

const rows = compileRows().sort((a, b) =>
  `${a.group}/${a.version}/${a.plural}` < `${b.group}/${b.version}/${b.plural}` ? -1 : 1,
);
const definitions = compileDefinitions(rows);
mkdirSync('apimachinery/data', { recursive: true });
writeFileSync('apimachinery/data/kinds.json', `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
writeFileSync('apimachinery/data/definitions.json', lines(definitions));
writeFileSync(
  'apimachinery/data/protobuf.json',
  `${JSON.stringify(compileProtobuf(), null, 0).replaceAll('},"', '},\n"')}\n`,
);
console.log(
  `compile-kinds: ${rows.length} resources, ${Object.keys(definitions).length} definitions, ${Object.keys(protobuf).length} messages`,
);
