/** The operations on a kind, neutral to the version of OpenAPI: where, how called, with which parameters and bodies. */
import type { Kind, Scheme, SubresourceFacts } from '../kind.js';
import type { GroupVersionKind } from '../object.js';
import { bodyDefinition, definitionNameOf, META, pathPrefix } from './definitions.js';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly type: 'string' | 'integer' | 'boolean';
}

export interface Operation {
  readonly path: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** x-kubernetes-action */
  readonly action: string;
  readonly id: string;
  readonly kind: GroupVersionKind;
  readonly parameters: readonly Parameter[];
  /** Definition of the body sent, and the media types it may have. */
  readonly request?: { readonly definition: string; readonly mediaTypes: readonly string[] };
  /** Definition of the answer; plain text when absent. */
  readonly response?: string;
  /** Media types that the answer may have. */
  readonly answers: readonly string[];
}

type Bare = Omit<Operation, 'answers'>;

/** Custom resources have no protobuf. */
const CUSTOM_BODIES = ['application/json', 'application/yaml'];
const BODIES = [...CUSTOM_BODIES, 'application/vnd.kubernetes.protobuf'];
const ANSWERS = ['application/json', 'application/vnd.kubernetes.protobuf'];
const PATCHES = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'];
const STRATEGIC = 'application/strategic-merge-patch+json';

const query = (type: Parameter['type'], ...names: string[]): Parameter[] =>
  names.map((name) => ({ name, in: 'query', type }));
const inPath = (name: string): Parameter => ({ name, in: 'path', type: 'string' });

const PRETTY = query('string', 'pretty');
const LIST = [
  ...query('boolean', 'allowWatchBookmarks'),
  ...query('string', 'continue', 'fieldSelector', 'labelSelector'),
  ...query('integer', 'limit'),
  ...query('string', 'resourceVersion', 'resourceVersionMatch'),
  ...query('boolean', 'sendInitialEvents'),
  ...query('integer', 'timeoutSeconds'),
  ...query('boolean', 'watch'),
];
const WRITE = query('string', 'dryRun', 'fieldManager', 'fieldValidation');
const DELETE = [
  ...query('string', 'dryRun'),
  ...query('integer', 'gracePeriodSeconds'),
  ...query('boolean', 'orphanDependents'),
  ...query('string', 'propagationPolicy'),
];

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** `RbacAuthorization` of `rbac.authorization.k8s.io`, `ExampleCom` of `example.com`. */
const groupNoun = (group: string): string =>
  group
    .replace(/\.k8s\.io$/, '')
    .split(/[.-]/)
    .map(capital)
    .join('');

/** What differs between the operations on one path. */
interface Place {
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** What follows the verb in operation ids. */
  readonly noun: string;
  readonly kind: GroupVersionKind;
  readonly definition: string | undefined;
  readonly patches: readonly string[];
  /** Media types of whole objects. */
  readonly bodies: readonly string[];
}

export function operationsOf(kind: Kind, scheme: Scheme, isBuiltIn: boolean): Operation[] {
  const base = pathPrefix(kind);
  const collection = `${base}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.resource}`;
  const scope = kind.namespaced ? [inPath('namespace')] : [];
  const prefix = `${kind.group === '' ? 'Core' : groupNoun(kind.group)}${capital(kind.version)}`;
  const definition = definitionNameOf(kind);
  const patches = isBuiltIn ? [...PATCHES, STRATEGIC] : PATCHES;
  const many: Place = {
    path: collection,
    parameters: scope,
    noun: `${prefix}${kind.namespaced ? 'Namespaced' : ''}${kind.kind}`,
    kind,
    definition,
    patches,
    bodies: isBuiltIn ? BODIES : CUSTOM_BODIES,
  };
  const one: Place = { ...many, path: `${collection}/{name}`, parameters: [...scope, inPath('name')] };
  const operations = [...collectionOperations(kind, many), ...objectOperations(kind.verbs, one)];
  if (kind.namespaced && kind.verbs.includes('list')) {
    operations.push(
      listOperation({
        ...many,
        path: `${base}/${kind.resource}`,
        parameters: [],
        noun: `${prefix}${kind.kind}ForAllNamespaces`,
      }),
    );
  }
  const all = [
    ...operations,
    ...kind.subresources.flatMap((sub) => subresourceOperations(sub, one, bodyDefinition(scheme, sub.kind))),
  ];
  return all.map((operation) => ({ ...operation, answers: isBuiltIn ? ANSWERS : CUSTOM_BODIES }));
}

function listOperation(place: Place): Bare {
  return {
    path: place.path,
    method: 'get',
    action: 'list',
    id: `list${place.noun}`,
    kind: place.kind,
    parameters: [...place.parameters, ...PRETTY, ...LIST],
    response: `${place.definition}List`,
  };
}

function collectionOperations(kind: Kind, place: Place): Bare[] {
  const operations: Bare[] = [];
  if (kind.verbs.includes('list')) operations.push(listOperation(place));
  if (kind.verbs.includes('create')) operations.push(createOperation(place, `create${place.noun}`));
  if (kind.verbs.includes('deletecollection')) {
    operations.push({
      path: place.path,
      method: 'delete',
      action: 'deletecollection',
      id: deleteCollectionId(place.noun, kind),
      kind,
      parameters: [
        ...place.parameters,
        ...PRETTY,
        ...LIST.filter(({ name }) => name !== 'watch' && name !== 'allowWatchBookmarks'),
        ...DELETE,
      ],
      request: { definition: `${META}.DeleteOptions`, mediaTypes: place.bodies },
      response: `${META}.Status`,
    });
  }
  return operations;
}

/** `deleteAppsV1CollectionNamespacedDeployment` */
function deleteCollectionId(noun: string, kind: Kind): string {
  const tail = `${kind.namespaced ? 'Namespaced' : ''}${kind.kind}`;
  return `delete${noun.slice(0, -tail.length)}Collection${tail}`;
}

function createOperation(place: Place, id: string): Bare {
  const { definition } = place;
  return {
    path: place.path,
    method: 'post',
    action: 'post',
    id,
    kind: place.kind,
    parameters: [...place.parameters, ...PRETTY, ...WRITE],
    ...(definition === undefined ? {} : { request: { definition, mediaTypes: place.bodies }, response: definition }),
  };
}

function objectOperations(verbs: readonly string[], place: Place): Bare[] {
  const { path, kind, noun, definition } = place;
  const parameters = [...place.parameters, ...PRETTY];
  const common = { path, kind, ...(definition === undefined ? {} : { response: definition }) };
  const operations: Bare[] = [];
  if (verbs.includes('get'))
    operations.push({ ...common, method: 'get', action: 'get', id: `read${noun}`, parameters });
  if (verbs.includes('update') && definition !== undefined) {
    operations.push({
      ...common,
      method: 'put',
      action: 'put',
      id: `replace${noun}`,
      parameters: [...parameters, ...WRITE],
      request: { definition, mediaTypes: place.bodies },
    });
  }
  if (verbs.includes('patch')) {
    operations.push({
      ...common,
      method: 'patch',
      action: 'patch',
      id: `patch${noun}`,
      parameters: [...parameters, ...WRITE, ...query('boolean', 'force')],
      request: { definition: `${META}.Patch`, mediaTypes: place.patches },
    });
  }
  if (verbs.includes('delete')) {
    operations.push({
      ...common,
      method: 'delete',
      action: 'delete',
      id: `delete${noun}`,
      parameters: [...parameters, ...DELETE],
      request: { definition: `${META}.DeleteOptions`, mediaTypes: place.bodies },
      response: `${META}.Status`,
    });
  }
  return operations;
}

const METHOD_OF_VERB: Readonly<Record<string, Operation['method']>> = {
  get: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
};

function subresourceOperations(sub: SubresourceFacts, parent: Place, definition: string | undefined): Bare[] {
  const noun = `${parent.noun}${capital(sub.name)}`;
  const place: Place = { ...parent, path: `${parent.path}/${sub.name}`, noun, kind: sub.kind, definition };
  if (sub.kind.kind.endsWith('Options')) {
    return sub.verbs.flatMap((verb): Bare[] => {
      const method = METHOD_OF_VERB[verb];
      if (method === undefined) return [];
      return [
        {
          path: place.path,
          method,
          action: 'connect',
          id: `connect${capital(method)}${noun}`,
          kind: sub.kind,
          parameters: [...place.parameters, ...CONNECT],
        },
      ];
    });
  }
  // Logs are read as text, though their kind is the pod's.
  if (sub.name === 'log')
    return [
      {
        path: place.path,
        method: 'get',
        action: 'get',
        id: `read${noun}`,
        kind: sub.kind,
        parameters: [...place.parameters, ...LOG],
      },
    ];
  const created = sub.verbs.includes('create') ? [createOperation(place, `create${noun}`)] : [];
  return [
    ...created,
    ...objectOperations(
      sub.verbs.filter((verb) => verb !== 'delete'),
      place,
    ),
  ];
}

const CONNECT = [
  ...query('string', 'command', 'container', 'path'),
  ...query('boolean', 'stdin', 'stdout', 'stderr', 'tty'),
  ...query('integer', 'ports'),
];
const LOG = [
  ...query('string', 'container', 'sinceTime', 'stream'),
  ...query('boolean', 'follow', 'insecureSkipTLSVerifyBackend', 'previous', 'timestamps'),
  ...query('integer', 'limitBytes', 'sinceSeconds', 'tailLines'),
  ...PRETTY,
];
