// Generates apimachinery/gen/ from apimachinery/data/:
//   types.ts      an interface for each kind that is served and for all it refers to
//   resources.ts  a typed constant for each resource: `pods: Resource<Pod>`
//
// Several groups and versions use some names twice. The plain name goes to: a served kind before a part of one; then
// the core group, the groups of RANK in their order, other groups by name; then the newest version. The others carry a
// suffix: the version within the same group (`HorizontalPodAutoscalerV1`, `horizontalPodAutoscalersV1`), otherwise the
// group's first label and the version (`EventEventsV1`, `eventsEventsV1`).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const rows = JSON.parse(readFileSync('apimachinery/data/kinds.json', 'utf8'));
const definitions = JSON.parse(readFileSync('apimachinery/data/definitions.json', 'utf8'));
const encodings = JSON.parse(readFileSync('apimachinery/data/encoding.json', 'utf8'));

const RANK = ['core', 'apps', 'batch', 'rbac', 'networking', 'storage', 'admissionregistration'];
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/**
 * Definitions whose TypeScript form is written by hand in apimachinery/object.ts and status.ts, or is a plain value.
 */
const IMPORTED = {
  [`${META}ObjectMeta`]: 'ObjectMeta',
  [`${META}OwnerReference`]: 'OwnerReference',
  [`${META}ListMeta`]: 'ListMeta',
  [`${META}ManagedFieldsEntry`]: 'ManagedFieldsEntry',
  [`${META}Status`]: 'Status',
  [`${META}StatusCause`]: 'StatusCause',
  [`${META}StatusDetails`]: 'StatusDetails',
  [`${META}FieldsV1`]: 'Record<string, unknown>',
};
const ALIASES = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': [
    'Quantity',
    'string',
    'As `100m`, `1Gi`: read with apimachinery/quantity.ts.',
  ],
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': [
    'IntOrString',
    'number | string',
    'A port number or name, a count or a percentage.',
  ],
  [`${META}Time`]: ['Time', 'string', 'RFC 3339, whole seconds.'],
  [`${META}MicroTime`]: ['MicroTime', 'string', 'RFC 3339 with six digits of a second.'],
  'io.k8s.apimachinery.pkg.runtime.RawExtension': [
    'RawExtension',
    'Record<string, unknown>',
    'Any object; embedded ones have apiVersion and kind.',
  ],
};

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const simpleName = (name) => name.slice(name.lastIndexOf('.') + 1);
/** `io.k8s.api.rbac.v1.Subject` -> group label `rbac`, version `v1`. */
const home = (name) => {
  const parts = name.split('.');
  return { group: parts.at(-3), version: parts.at(-2) };
};
const versionRank = (version) => -Number(version.slice(1));

// ---- names of types ---------------------------------------------------------------------------------------------

const served = new Set(rows.map((row) => row.definition));
const rankOf = (name) => {
  const { group, version } = home(name);
  const rank = RANK.indexOf(group);
  return [served.has(name) ? 0 : 1, rank === -1 ? RANK.length : rank, group, versionRank(version)];
};
const compare = (a, b) => {
  for (const [index, x] of a.entries()) {
    if (x !== b[index]) return x < b[index] ? -1 : 1;
  }
  return 0;
};

function nameTypes() {
  const byName = new Map();
  for (const name of Object.keys(definitions)) {
    if (IMPORTED[name] !== undefined || ALIASES[name] !== undefined) continue;
    byName.set(simpleName(name), [...(byName.get(simpleName(name)) ?? []), name]);
  }
  const names = new Map(Object.entries(IMPORTED));
  for (const [name, [alias]] of Object.entries(ALIASES)) names.set(name, alias);
  for (const [simple, owners] of byName) {
    const [first, ...others] = owners.sort((a, b) => compare(rankOf(a), rankOf(b)));
    names.set(first, simple);
    for (const other of others) {
      const { group, version } = home(other);
      names.set(other, `${simple}${group === home(first).group ? '' : capital(group)}${capital(version)}`);
    }
  }
  return names;
}

const typeNames = nameTypes();

// ---- types ------------------------------------------------------------------------------------------------------

function typeOf(schema) {
  if (schema.ref !== undefined) return typeNames.get(schema.ref);
  if (schema.type === 'array') {
    const item = typeOf(schema.items);
    return item.includes(' ') && !item.startsWith('Record<') ? `(${item})[]` : `${item}[]`;
  }
  if (schema.additionalProperties !== undefined) return `Record<string, ${typeOf(schema.additionalProperties)}>`;
  switch (schema.type) {
    case 'string':
      return 'string';
    case 'integer':
      return schema.format === 'int64' ? 'Int64' : 'number';
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'object':
      return 'Record<string, unknown>';
    default:
      return 'unknown';
  }
}

const identifier = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name));

/** Validation refuses objects without them. */
const NEVER_EMPTY = new Set(['addresses', 'containers', 'nodeSelectorTerms', 'selector', 'verbs']);

function interfaceOf(definition, schema) {
  const name = typeNames.get(definition);
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0)
    return `export type ${name} = ${schema.type === 'object' ? 'Record<string, unknown>' : 'unknown'};\n`;
  const isObject =
    schema.properties.metadata?.ref === `${META}ObjectMeta` && schema.properties.apiVersion !== undefined;
  const required = new Set(schema.required ?? []);
  // Lists, maps and times that Go writes as null when they are empty.
  const nulls = new Set(
    (encodings[definition]?.null ?? '').split(' ').filter((property) => !NEVER_EMPTY.has(property)),
  );
  const inherited = isObject ? ['apiVersion', 'kind', 'metadata'] : [];
  const members = properties
    .filter(([property]) => !inherited.includes(property))
    .map(
      ([property, facts]) =>
        `  ${identifier(property)}${required.has(property) ? '' : '?'}: ${typeOf(facts)}${nulls.has(property) ? ' | null' : ''};\n`,
    );
  if (members.length === 0) return `export type ${name} = KubeObject;\n`;
  return `export interface ${name}${isObject ? ' extends KubeObject' : ''} {\n${members.join('')}}\n`;
}

function typesFile() {
  const aliases = Object.values(ALIASES).map(
    ([name, type, comment]) => `/** ${comment} */\nexport type ${name} = ${type};\n`,
  );
  const interfaces = Object.entries(definitions)
    .filter(([name]) => IMPORTED[name] === undefined && ALIASES[name] === undefined)
    .map(([name, schema]) => [typeNames.get(name), interfaceOf(name, schema)])
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text);
  const body = [...aliases, ...interfaces].join('\n');
  const used = (names) => names.filter((name) => new RegExp(`\\b${name}\\b`).test(body)).join(', ');
  const fromObject = used(['KubeObject', 'ListMeta', 'ManagedFieldsEntry', 'ObjectMeta', 'OwnerReference']);
  const imports = [
    `import type { Int64 } from '../int64.js';\n`,
    `import type { ${fromObject} } from '../object.js';\n`,
  ];
  const fromStatus = used(['Status', 'StatusCause', 'StatusDetails']);
  if (fromStatus !== '') imports.push(`import type { ${fromStatus} } from '../status.js';\n`);
  return `// Generated by scripts/generate-types.mjs. Do not edit.\n${imports.join('')}\n${body}`;
}

// ---- resources --------------------------------------------------------------------------------------------------

/** `replicasets` with kind `ReplicaSet` -> `replicaSets`; `csidrivers` with `CSIDriver` -> `csiDrivers`. */
function constantName(row) {
  const lower = row.kind.toLowerCase();
  let same = 0;
  while (same < lower.length && lower[same] === row.plural[same]) same += 1;
  const name = row.kind.slice(0, same) + row.plural.slice(same);
  const acronym = /^[A-Z]+(?=[A-Z][a-z])|^[A-Z]/.exec(name)[0];
  return acronym.toLowerCase() + name.slice(acronym.length);
}

function resourcesFile() {
  const owners = new Map();
  for (const row of [...rows].sort((a, b) => compare(rankOf(a.definition), rankOf(b.definition)))) {
    if (!owners.has(constantName(row))) owners.set(constantName(row), row);
  }
  const types = new Set();
  const constants = rows.map((row) => {
    const plain = constantName(row);
    const owner = owners.get(plain);
    const label = row.group === owner.group ? '' : capital(home(row.definition).group);
    const name = owner === row ? plain : `${plain}${label}${capital(row.version)}`;
    const type = typeNames.get(row.definition);
    types.add(type);
    const facts = `group: '${row.group}', version: '${row.version}', resource: '${row.plural}', kind: '${row.kind}', namespaced: ${row.namespaced}`;
    return `export const ${name}: Resource<${type}> = { ${facts} };\n`;
  });
  const imports = `import type { Resource } from '../object.js';\nimport type {\n${[...types]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((t) => `  ${t},\n`)
    .join('')}} from './types.js';\n`;
  return `// Generated by scripts/generate-types.mjs. Do not edit.\n${imports}\n${constants.join('')}`;
}

mkdirSync('apimachinery/gen', { recursive: true });
writeFileSync('apimachinery/gen/types.ts', typesFile());
writeFileSync('apimachinery/gen/resources.ts', resourcesFile());
