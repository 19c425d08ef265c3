/** Which form of an answer a client accepts (API conventions, "Content negotiation"). */
import { ApiError, apiErrors } from '../../../apimachinery/status.js';

type View = 'object' | 'table' | 'metadata';
export type Encoding = 'json' | 'yaml' | 'protobuf';

export interface Accepted {
  readonly view: View;
  /** The apiVersion of Table or PartialObjectMetadata. */
  readonly apiVersion: string;
  readonly encoding: Encoding;
  /** Whether metadata was asked for as that of a list. */
  readonly ofList?: boolean;
}

interface MediaRange {
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
}

const RANGES_MAX = 32;

/** Media ranges in the client's order; weights are not looked at, as in kube-apiserver. */
export function mediaRanges(accept: string): readonly MediaRange[] {
  return accept
    .split(',')
    .slice(0, RANGES_MAX)
    .map((text) => {
      const [type = '', ...params] = text.split(';').map((part) => part.trim());
      return { type: type.toLowerCase(), params: new Map(params.map((param) => splitParam(param))) };
    })
    .filter((range) => range.type !== '');
}

function splitParam(param: string): [string, string] {
  const equals = param.indexOf('=');
  return equals < 0 ? [param, ''] : [param.slice(0, equals), param.slice(equals + 1)];
}

const JSON_TYPE = 'application/json';
const YAML_TYPE = 'application/yaml';
const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

const ENCODINGS: ReadonlyMap<string, Encoding> = new Map([
  [JSON_TYPE, 'json'],
  ['*/*', 'json'],
  [YAML_TYPE, 'yaml'],
  [PROTOBUF_TYPE, 'protobuf'],
]);
export const CONTENT_TYPES: Readonly<Record<Encoding, string>> = {
  json: JSON_TYPE,
  yaml: YAML_TYPE,
  protobuf: PROTOBUF_TYPE,
};

/** What can be given: custom resources have no protobuf, streams of events no YAML. */
export type Offers = readonly Encoding[];
const ALL_ENCODINGS: Offers = ['json', 'yaml', 'protobuf'];

const PLAIN: Accepted = { view: 'object', apiVersion: '', encoding: 'json' };

/**
 * `tables`: whether there is a table of what is asked for. Throws NotAcceptable when nothing the client names can be
 * given.
 */
export function negotiate(accept: string, offers: Offers = ALL_ENCODINGS, tables = true): Accepted {
  if (accept.trim() === '') return PLAIN;
  for (const { type, params } of mediaRanges(accept)) {
    const encoding = ENCODINGS.get(type);
    if (encoding === undefined || !offers.includes(encoding)) continue;
    const as = params.get('as');
    if (as === undefined) return { ...PLAIN, encoding };
    const view = viewOf(as, params);
    // A table's cells hold any JSON: they have no protobuf form.
    if (view !== undefined && !(view.view === 'table' && (encoding === 'protobuf' || !tables)))
      return { ...view, encoding };
  }
  throw apiErrors.notAcceptable(
    `only the following media types are accepted: ${offers.map((one) => CONTENT_TYPES[one]).join(', ')}`,
  );
}

/** For what has one view only. Throws NotAcceptable. */
export function negotiatePlain(accept: string): Encoding {
  if (accept.trim() === '') return 'json';
  if (!namesKnownType(accept)) throw routeNotAcceptable(false);
  for (const { type, params } of mediaRanges(accept)) {
    const encoding = ENCODINGS.get(type);
    if (encoding !== undefined && !params.has('as')) return encoding;
  }
  throw apiErrors.notAcceptable(
    `only the following media types are accepted: ${ALL_ENCODINGS.map((one) => CONTENT_TYPES[one]).join(', ')}`,
  );
}

/** Whether any type is named that objects have, whatever its parameters. */
export const namesKnownType = (accept: string): boolean =>
  accept.trim() === '' || mediaRanges(accept).some(({ type }) => ENCODINGS.has(type));

/** The refusal of the router in front of built-in kinds; `streams`: of a path that can be watched. */
export function routeNotAcceptable(streams: boolean): ApiError {
  const types = [
    ...ALL_ENCODINGS.map((one) => CONTENT_TYPES[one]),
    ...(streams ? [`${JSON_TYPE};stream=watch`, `${PROTOBUF_TYPE};stream=watch`] : []),
  ];
  return new ApiError({
    ...apiErrors.notAcceptable(`406: Not Acceptable\n\nAvailable representations: ${types.join(', ')}`).status,
    details: {},
  });
}

/** For errors: they are told in any case, as JSON if nothing else will do. */
export function negotiateError(accept: string): Encoding {
  const ranges = mediaRanges(accept).map(({ type }) => ENCODINGS.get(type));
  return ranges.find((encoding) => encoding !== undefined) ?? 'json';
}

function viewOf(as: string, params: ReadonlyMap<string, string>): Omit<Accepted, 'encoding'> | undefined {
  const version = params.get('v');
  if (params.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  const apiVersion = `meta.k8s.io/${version}`;
  if (as === 'Table') return { view: 'table', apiVersion };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
    return { view: 'metadata', apiVersion, ofList: as === 'PartialObjectMetadataList' };
  return undefined;
}
