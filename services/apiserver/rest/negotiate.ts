/** Which form of an answer a client accepts (API conventions, "Content negotiation"). */
import { apiErrors } from '../../../apimachinery/status.js';

export type View = 'object' | 'table' | 'metadata';

export interface Accepted {
  readonly view: View;
  /** The apiVersion of Table or PartialObjectMetadata. */
  readonly apiVersion: string;
}

interface MediaRange {
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
}

const RANGES_MAX = 32;

/** Media ranges in the client's order; weights are not looked at, as in kube-apiserver. */
export function mediaRanges(accept: string): readonly MediaRange[] {
  return accept.split(',').slice(0, RANGES_MAX).map((text) => {
    const [type = '', ...params] = text.split(';').map((part) => part.trim());
    return { type: type.toLowerCase(), params: new Map(params.map((param) => splitParam(param))) };
  }).filter((range) => range.type !== '');
}

function splitParam(param: string): [string, string] {
  const equals = param.indexOf('=');
  return equals < 0 ? [param, ''] : [param.slice(0, equals), param.slice(equals + 1)];
}

/** Throws NotAcceptable when nothing the client names can be given. */
export function negotiate(accept: string): Accepted {
  if (accept.trim() === '') return PLAIN;
  for (const { type, params } of mediaRanges(accept)) {
    if (!JSON_TYPES.has(type)) continue;
    const as = params.get('as');
    if (as === undefined) return PLAIN;
    const accepted = viewOf(as, params);
    if (accepted !== undefined) return accepted;
  }
  throw apiErrors.notAcceptable('only the following media types are accepted: application/json');
}

const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);
const PLAIN: Accepted = { view: 'object', apiVersion: '' };

function viewOf(as: string, params: ReadonlyMap<string, string>): Accepted | undefined {
  const version = params.get('v') ?? 'v1';
  if ((params.get('g') ?? 'meta.k8s.io') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  const apiVersion = `meta.k8s.io/${version}`;
  if (as === 'Table') return { view: 'table', apiVersion };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { view: 'metadata', apiVersion };
  return undefined;
}
