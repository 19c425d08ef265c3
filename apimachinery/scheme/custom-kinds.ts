/**
 * From a CustomResourceDefinition to rows of the scheme, one for each served version: from there on a custom resource
 * goes the way of any other kind.
 */
import { encodeJson } from '../json-value.js';
import type { Kind, Printer, PrinterColumn, ScaleFacts, SubresourceFacts } from '../kind.js';
import { translateTimestampSince } from '../kinds/lib/duration.js';
import { ALL_METADATA, strategyOf } from '../kinds/lib/strategy.js';
import { at, field, num, recs, str, strs } from '../kinds/lib/value.js';
import { isNumeric } from '../int64.js';
import type { GroupVersionKind, KubeObject } from '../object.js';
import { ApiError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { compileJsonPath, firstOf } from '../crd/json-path.js';
import { builtInResolver } from './stored.js';
import { Defaulter } from '../schema/prune.js';
import type { Schema } from '../schema.js';
import { rootSchemaOf } from '../crd/schema.js';

const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const SUBRESOURCE_VERBS = ['get', 'patch', 'update'];

/** The definition must have passed validation. Rows of a definition that is being deleted take no new objects. */
export function kindsOfDefinition(definition: KubeObject): Kind[] {
  const spec = field(definition, 'spec');
  const versions = recs(field(spec, 'versions'));
  const storage = str(versions.find((version) => version['storage'] === true)?.['name']);
  const deleting = definition.metadata?.deletionTimestamp !== undefined;
  return versions
    .filter((version) => version['served'] === true)
    .map((version) => kindOf(spec, version, { storage, deleting }));
}

function kindOf(
  spec: unknown,
  version: JsonObject,
  { storage, deleting }: { readonly storage: string; readonly deleting: boolean },
): Kind {
  const names = field(spec, 'names');
  const [group, plural, kind, name] = [
    str(field(spec, 'group')),
    str(field(names, 'plural')),
    str(field(names, 'kind')),
    str(version['name']),
  ];
  const props = at(version, 'schema', 'openAPIV3Schema');
  const subresources = field(version, 'subresources');
  const hasStatus = isObject(field(subresources, 'status'));
  const scale = field(subresources, 'scale');
  const schema = rootSchemaOf(isObject(props) ? props : {});
  const own = { group, version: name, kind };
  const subs: SubresourceFacts[] = [
    ...(hasStatus ? [{ name: 'status', kind: own, verbs: SUBRESOURCE_VERBS }] : []),
    ...(isObject(scale)
      ? [{ name: 'scale', kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: SUBRESOURCE_VERBS }]
      : []),
  ];
  return {
    ...own,
    resource: plural,
    listKind: str(field(names, 'listKind')),
    singular: str(field(names, 'singular')),
    shortNames: strs(field(names, 'shortNames')),
    categories: strs(field(names, 'categories')),
    namespaced: str(field(spec, 'scope')) === 'Namespaced',
    verbs: deleting ? VERBS.filter((verb) => verb !== 'create') : VERBS,
    subresources: subs,
    ...(isObject(scale) ? { scale: scaleFactsOf(scale) } : {}),
    storagePrefix: `${group}/${plural}`,
    storageVersion: storage,
    isCustom: true,
    schema,
    fieldSelectors: selectorsOf(version),
    printer: printerOf(version),
    strategy: strategyOf({
      status: hasStatus,
      statusKeeps: ALL_METADATA,
      generation: true,
      allowUnconditionalUpdate: false,
    }),
    ...(version['deprecated'] === true
      ? { deprecationWarning: str(version['deprecationWarning']) || `${group}/${name} ${kind} is deprecated` }
      : {}),
    conversion: conversionOf(schema, {
      own,
      storage,
      byWebhook: str(at(spec, 'conversion', 'strategy')) === 'Webhook',
    }),
  };
}

interface Versions {
  readonly own: GroupVersionKind;
  readonly storage: string;
  readonly byWebhook: boolean;
}

/**
 * The store may hold objects of any version that once was the stored one. By strategy None only the name of the version
 * differs; webhooks are not called yet, and a body of one version is never shown as another. What was stored before the
 * definition had a default gets it when it is read.
 */
function conversionOf(schema: Schema, { own, storage, byWebhook }: Versions): NonNullable<Kind['conversion']> {
  const read = withDefaults(schema);
  const [mine, stored] = [own.version, storage].map((version) => `${own.group}/${version}`);
  const refuse = (from: string | undefined, to: string | undefined): void => {
    if (byWebhook && from !== to) throw unconverted({ from, to, kind: own.kind });
  };
  return {
    fromStorage: (object) => {
      refuse(object.apiVersion, mine);
      return read(object);
    },
    toStorage: (object) => {
      refuse(mine, stored);
      return { ...object, apiVersion: `${own.group}/${storage}` };
    },
  };
}

/** What kube-apiserver answers when it cannot reach the webhook. */
function unconverted({
  from,
  to,
  kind,
}: {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly kind: string;
}): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    code: 500,
    message:
      `conversion webhook for ${from}, Kind=${kind} failed: this server does not call conversion webhooks yet, so an object of ${from} cannot be had as ${to}; ` +
      'use the version that is stored',
  });
}

function withDefaults(schema: Schema): (object: KubeObject) => KubeObject {
  const defaulter = new Defaulter(builtInResolver());
  return (object) => {
    defaulter.apply(object, schema);
    return object;
  };
}

function scaleFactsOf(scale: JsonObject): ScaleFacts {
  const selector = str(scale['labelSelectorPath']);
  return {
    specReplicasPath: str(scale['specReplicasPath']),
    statusReplicasPath: str(scale['statusReplicasPath']),
    ...(selector === '' ? {} : { labelSelectorPath: selector }),
  };
}

function selectorsOf(version: JsonObject): Kind['fieldSelectors'] {
  return Object.fromEntries(
    recs(version['selectableFields']).flatMap((selectable) => {
      const path = str(selectable['jsonPath']);
      const find = compileJsonPath(path);
      return find === undefined
        ? []
        : [[path.replace(/^\./, ''), (object: KubeObject) => scalarOf(firstOf(find(object)))]];
    }),
  );
}

const scalarOf = (value: unknown): string =>
  typeof value === 'string' || isNumeric(value) || typeof value === 'boolean' ? String(value) : '';

const NAME: PrinterColumn = { name: 'Name', type: 'string', format: 'name', priority: 0 };

/** Without columns of its own, a CRD's table shows the age. */
const ONLY_AGE = [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }];

function printerOf(version: JsonObject): Printer {
  const given = recs(version['additionalPrinterColumns']);
  const columns = (given.length === 0 ? ONLY_AGE : given).map((column) => {
    const format = str(field(column, 'format'));
    const description = str(field(column, 'description'));
    const head: PrinterColumn = {
      name: str(field(column, 'name')),
      type: str(field(column, 'type')),
      priority: num(field(column, 'priority')),
      ...(format === '' ? {} : { format }),
      ...(description === '' ? {} : { description }),
    };
    return { head, find: compileJsonPath(str(field(column, 'jsonPath'))) ?? (() => []) };
  });
  return {
    columns: [NAME, ...columns.map(({ head }) => head)],
    row: (object, now_ms) => [
      object.metadata?.name ?? '',
      ...columns.map(({ head, find }) => cellOf(firstOf(find(object)), head.type, now_ms)),
    ],
  };
}

/**
 * Of what a path finds the first is shown; a value of another type than the column's is not
 * (k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor).
 */
function cellOf(value: unknown, type: string, now_ms: number): unknown {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : typeof value === 'bigint' ? value : null;
    case 'number':
      return isNumeric(value) ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? translateTimestampSince(value, now_ms) : null;
    default:
      return typeof value === 'string' ? value : encodeJson(value);
  }
}
