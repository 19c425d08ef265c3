/**
 * Bodies that are in order by their size and cost as much as any may: many keys, values and items, faults without
 * number, rules that compare everything with everything (issue 6, rows 1, 3 and 6). Nothing is stored: dry runs, or
 * what is refused.
 */
import { gzipSync } from 'node:zlib';
import { CONFIG_MAPS } from './flood-broken.js';
import { restAttack, type Attack, type RestCall } from './flood-tools.js';

const JSON_TYPE = 'application/json';
const YAML_TYPE = 'application/yaml';
const DRY = `${CONFIG_MAPS}?dryRun=All&fieldValidation=Strict`;
const PODS = '/api/v1/namespaces/default/pods?dryRun=All';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const many = (count: number, one: (i: number) => string, separator = ','): string =>
  Array.from({ length: count }, (_, i) => one(i)).join(separator);
const keys = (count: number): string => many(count, (i) => `"key${i}":"value"`);
const configMap = (metadata: string, rest = ''): string =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"flood-"${metadata}}${rest}}`;
const pod = (spec: string): string =>
  `{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"flood-"},"spec":{${spec}}}`;
const yamlMap = (count: number): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: flood-}\ndata:\n${many(count, (i) => `  key${i}: "value"`, '\n')}\n`;

function definitionOf(name: string, spec: string): string {
  return (
    `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"${name}s.flood.example.com"},"spec":{"group":"flood.example.com","scope":"Namespaced",` +
    `"names":{"plural":"${name}s","singular":"${name}","kind":"${kindOf(name)}","listKind":"${kindOf(name)}List"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{` +
    `"type":"object","properties":{"spec":${spec}}}}}]}}`
  );
}

const kindOf = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** A schema as large operators have them: some 20,000 values. */
function definition(name: string, rules: string, branches = 9, depth = 3): string {
  const properties = (level: number): string =>
    many(
      branches,
      (i) =>
        `"field${i}":{"description":"What this field is for, in as many words as such texts have.",${
          level === 0 ? '"type":"string"' : `"type":"object","properties":{${properties(level - 1)}}`
        }}`,
    );
  return definitionOf(
    name,
    `{"type":"object","properties":{"items":{"type":"array","items":{"type":"integer"}},${properties(depth)}}${rules}}`,
  );
}

const NESTED_RULE =
  ',"x-kubernetes-validations":[{"rule":"self.items.all(x, self.items.all(y, self.items.all(z, x + y + z >= 0)))"}]';
const costly = definition('costly', NESTED_RULE, 1, 0);
const objectOf = (name: string, spec: string): string =>
  `{"apiVersion":"flood.example.com/v1","kind":"${kindOf(name)}","metadata":{"generateName":"flood-"},"spec":${spec}}`;
const costlyObject = objectOf('costly', `{"items":[${many(150, String)}]}`);

/** Each value of a list held against all that the schema names, and a text that a matcher would need seconds for. */
const wary = definitionOf(
  'wary',
  `{"type":"object","properties":{"modes":{"type":"array","items":{"type":"string","enum":[${many(5000, (i) => `"v${i}"`)}]}},` +
    '"text":{"type":"string","pattern":"(a|aa)+(ab|b)*(c{0,50}){5}$"}}}',
);
const waryObjects = {
  modes: objectOf('wary', `{"modes":[${many(9900, () => '"v4999"')}]}`),
  text: objectOf('wary', `{"text":"${'a'.repeat(900_000)}d"}`),
};
const names = (prefix: string, count: number): string => many(count, (i) => `"${prefix}${i}"`);
const OPERATIONS_ON_NAMESPACE = {
  type: 'application/json-patch+json',
  method: 'PATCH',
  path: '/api/v1/namespaces/kube-system?dryRun=All',
} as const;

const STRATEGIC_ON_NAMESPACE = { ...OPERATIONS_ON_NAMESPACE, type: 'application/strategic-merge-patch+json' } as const;
const service = (spec: string): string =>
  `{"apiVersion":"v1","kind":"Service","metadata":{"generateName":"flood-"},"spec":{"ports":[{"port":80}],${spec}}}`;
const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
const policy = (validations: string): string =>
  `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"generateName":"flood-"},"spec":{` +
  `"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]},"validations":[${validations}]}}`;
const ruled = (rule: string): string =>
  definitionOf(
    'ruled',
    `{"type":"object","properties":{"s":{"type":"string"}},"x-kubernetes-validations":[{"rule":${JSON.stringify(rule)}}]}`,
  );
const patterned = (count: number, pattern: (i: number) => string): string =>
  definitionOf(
    'patterned',
    `{"type":"object","properties":{${many(count, (i) => `"s${i}":{"type":"string","pattern":${JSON.stringify(pattern(i))}}`)}}}`,
  );
const seeking = definitionOf(
  'seeking',
  '{"type":"object","properties":{"s":{"type":"string","maxLength":900000}},"x-kubernetes-validations":[{"rule":"self.s.findAll(\'[a-z][0-9]\').size() >= 0"}]}',
);
const bomb = gzipSync(Buffer.alloc(100_000_000, ' '));
/** Kubernetes' envelope of a message, and fields in it that no kind has. */
const unknownFields = Buffer.concat([
  Buffer.from('6b38730012', 'hex'),
  Buffer.from([0xc0, 0xfe, 0xb0, 0x01]),
  Buffer.alloc(2_899_776, Buffer.from([120, 1])),
]);

const call = (body: string, more: Partial<RestCall> = {}): Attack => {
  const bytes = Buffer.from(body);
  return restAttack({ path: DRY, type: JSON_TYPE, body: () => bytes, ...more });
};

export const BODIES: Readonly<Record<string, Attack>> = {
  'rest: YAML of 7,000 keys': call(yamlMap(7000), { type: YAML_TYPE }),
  'rest: 3 MB of YAML keys': call(yamlMap(140_000), { type: YAML_TYPE }),
  'rest: YAML comments': call('# nothing\n'.repeat(250_000), { type: YAML_TYPE }),
  'rest: YAML applied': call(yamlMap(9000), {
    type: 'application/apply-patch+yaml',
    method: 'PATCH',
    path: '/api/v1/namespaces/default/configmaps/flood?dryRun=All&fieldManager=flood',
  }),
  'rest: a million empty objects': call(pod(`"containers":[${many(999_000, () => '{}')}]`), { path: PODS }),
  'rest: 9,900 empty containers': call(pod(`"containers":[${many(9900, () => '{}')}]`), { path: PODS }),
  'rest: 9,900 variables': call(
    pod(`"containers":[{"name":"a","image":"b","env":[${many(9900, (i) => `{"name":"V${i}","value":"x"}`)}]}]`),
    { path: PODS },
  ),
  'rest: 9,900 labels': call(configMap(`,"labels":{${keys(9900)}}`)),
  'rest: 100,000 labels': call(configMap(`,"labels":{${keys(100_000)}}`)),
  'rest: labels that are none': call(configMap(`,"labels":{${many(9900, (i) => `"_${i}_":"!"`)}}`)),
  'rest: empty owners': call(configMap(`,"ownerReferences":[${many(8000, () => '{}')}]`)),
  'rest: unknown fields': call(configMap('', `,${many(9900, (i) => `"field${i}":1`)}`)),
  'rest: duplicate fields': call(configMap('', `,"data":{${many(9900, (i) => `"key${i % 99}":"x"`)}}`)),
  'rest: a huge name': call(configMap(`,"name":"${'x'.repeat(1_000_000)}"`)),
  'rest: 1 MB in one value': call(configMap('', `,"data":{"x":"${'line\\n'.repeat(200_000)}"}`)),
  'rest: a large definition': call(definition('large', ''), { path: `${DEFINITIONS}?dryRun=All` }),
  'rest: a rule of three loops': call(costly, { path: DEFINITIONS }),
  'rest: an object under that rule': call(costlyObject, {
    path: '/apis/flood.example.com/v1/namespaces/default/costlys?dryRun=All',
  }),
  'rest: a definition with an enum and a pattern': call(wary, { path: DEFINITIONS }),
  'rest: 9,900 values of an enum of 5,000': call(waryObjects.modes, {
    path: '/apis/flood.example.com/v1/namespaces/default/warys?dryRun=All',
  }),
  'rest: a pattern on a megabyte': call(waryObjects.text, {
    path: '/apis/flood.example.com/v1/namespaces/default/warys?dryRun=All',
  }),
  'rest: a role of 27 thousand million rights': call(
    `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"generateName":"flood-"},"rules":[{"verbs":[${names('v', 3000)}],"apiGroups":[${names('g', 3000)}],"resources":[${names('r', 3000)}]}]}`,
    { path: '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles?dryRun=All' },
  ),
  'rest: a Secret of a megabyte': call(
    `{"apiVersion":"v1","kind":"Secret","metadata":{"generateName":"flood-"},"data":{"x":"${Buffer.alloc(1_000_000, 'a').toString('base64')}"}}`,
    { path: '/api/v1/namespaces/default/secrets?dryRun=All' },
  ),
  'rest: copies by a patch': call(
    `[${many(5000, (i) => `{"op":"copy","from":"/metadata","path":"/metadata/annotations/k${i}"}`)}]`,
    OPERATIONS_ON_NAMESPACE,
  ),
  'rest: 10,000 operations of a patch': call(
    `[${many(9900, (i) => `{"op":"add","path":"/metadata/labels/k${i}","value":"x"}`)}]`,
    OPERATIONS_ON_NAMESPACE,
  ),
  'rest: a pointer of a megabyte': call(
    `[{"op":"test","path":"/${'~1~0'.repeat(300_000)}","value":1}]`,
    OPERATIONS_ON_NAMESPACE,
  ),
  'rest: 9,900 owners by a patch': call(
    `{"metadata":{"ownerReferences":[${many(9900, (i) => `{"apiVersion":"v1","kind":"Pod","name":"p${i}","uid":"u${i}"}`)}]}}`,
    STRATEGIC_ON_NAMESPACE,
  ),
  'rest: 60,000 source ranges': call(
    service(`"type":"LoadBalancer","loadBalancerSourceRanges":[${many(60_000, (i) => `"${address(i)}/32"`)}]`),
    { path: '/api/v1/namespaces/default/services?dryRun=All' },
  ),
  'rest: 60,000 ranges of a node': call(
    `{"apiVersion":"v1","kind":"Node","metadata":{"generateName":"flood-"},"spec":{"podCIDRs":[${many(60_000, (i) => `"${address(i)}/32"`)}]}}`,
    { path: '/api/v1/nodes?dryRun=All' },
  ),
  'rest: 9,000 quantities': call(
    pod(
      `"containers":[{"name":"a","image":"b","resources":{"requests":{${many(9000, (i) => `"a.b/c${i}":"${i}"`)}},"limits":{${many(9000, (i) => `"a.b/c${i}":"${i}"`)}}}}]`,
    ),
    { path: PODS },
  ),
  'rest: a rule of 90 KB': call(ruled(many(5000, (i) => `size(self.s) != ${i}`, ' && ')), {
    path: `${DEFINITIONS}?dryRun=All`,
  }),
  'rest: a pattern of 480 KB': call(
    patterned(1, () => '(a|b)*c?'.repeat(60_000)),
    { path: `${DEFINITIONS}?dryRun=All` },
  ),
  'rest: 2,000 patterns': call(
    patterned(2000, (i) => `^(a|b)*c{1,100}x${i}$`),
    { path: `${DEFINITIONS}?dryRun=All` },
  ),
  'rest: a definition that looks for matches': call(seeking, { path: DEFINITIONS }),
  'rest: matches in a megabyte': call(objectOf('seeking', `{"s":"${'a1'.repeat(440_000)}"}`), {
    path: '/apis/flood.example.com/v1/namespaces/default/seekings?dryRun=All',
  }),
  'rest: 9,000 validations of a policy': call(
    policy(many(9000, (i) => `{"expression":"object.metadata.name != 'x${i}'"}`)),
    { path: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?dryRun=All' },
  ),
  'rest: 3 MB of white space': call(`${configMap('')}${' '.repeat(2_900_000)}`),
  'rest: gzip of 100 MB': restAttack({ path: DRY, headers: { 'content-encoding': 'gzip' }, body: () => bomb }),
  'rest: a million unknown fields of protobuf': restAttack({
    path: PODS,
    type: 'application/vnd.kubernetes.protobuf',
    body: () => unknownFields,
  }),
  'rest: the whole API described': restAttack({
    path: '/openapi/v2',
    method: 'GET',
    headers: { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' },
  }),
  'rest: all of a namespace, dry run': restAttack({
    path: '/api/v1/namespaces/default/configmaps?dryRun=All',
    method: 'DELETE',
  }),
  'rest: all that exists, watched': restAttack({
    path: '/api/v1/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
    method: 'GET',
  }),
  'rest: a long selector': restAttack({
    path: `/api/v1/configmaps?labelSelector=a+notin+(${many(1500, (i) => `b${i}`)})`,
    method: 'GET',
  }),
  'rest: options of a delete': call(`{"a":[${many(900_000, () => '{}')}]}`, {
    method: 'DELETE',
    path: '/api/v1/namespaces/default/configmaps/none',
  }),
};
