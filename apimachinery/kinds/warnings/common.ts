/** Doubts that more than one kind has: spellings of addresses, labels of nodes with newer names, fractions of bytes. */
import { parseAddress, parseCidr } from '../lib/addresses.js';
import { plainAddress, plainRange } from '../lib/plain-addresses.js';
import { at, entries, field, recs, str, strs, unset, type Rec } from '../lib/value.js';
import { labelValue } from '../../names.js';
import { canonicalQuantity, quantityNano } from '../../quantity.js';

export const quoted = (text: string): string => JSON.stringify(text);

/**
 * Of addresses that validation took: the spelling that every software reads alike. `pathOf` names the place of each.
 */
export function addressListWarnings(addresses: readonly string[], pathOf: (index: number) => string): string[] {
  return suspects(addresses, plainAddress).flatMap((index) => addressWarnings(pathOf(index), addresses[index] ?? ''));
}

export function cidrListWarnings(ranges: readonly string[], pathOf: (index: number) => string): string[] {
  return suspects(ranges, plainRange).flatMap((index) => cidrWarnings(pathOf(index), ranges[index] ?? ''));
}

/** Where texts stand that are not recognised at a glance. */
function suspects(texts: readonly string[], recognised: (text: string) => unknown): number[] {
  const found: number[] = [];
  for (let index = 0; index < texts.length; index++)
    if (recognised(texts[index] ?? '') === undefined) found.push(index);
  return found;
}

export function addressWarnings(path: string, text: string): string[] {
  if (plainAddress(text) !== undefined) return [];
  const address = parseAddress(text);
  if (address === undefined) return [];
  if (address.doubt !== undefined)
    return [`${path}: non-standard IP address ${quoted(text)} is invalid: use ${quoted(address.text)}`];
  return address.text === text
    ? []
    : [`${path}: IPv6 address ${quoted(text)} should be in RFC 5952 canonical format (${quoted(address.text)})`];
}

export function cidrWarnings(path: string, text: string): string[] {
  if (plainRange(text) !== undefined) return [];
  const cidr = parseCidr(text);
  if (cidr === undefined) return [];
  const warnings: string[] = [];
  const { address } = cidr;
  if (!cidr.text.startsWith(`${address.text}/`)) {
    warnings.push(
      `${path}: CIDR value ${quoted(text)} is ambiguous in this context (should be ${quoted(cidr.text)} or ${quoted(`${address.text}/${address.bytes.length * 8}`)}?)`,
    );
  }
  if (cidr.doubt === 'leading zeros' || cidr.doubt === 'mapped')
    warnings.push(`${path}: non-standard CIDR value ${quoted(text)} is invalid: use ${quoted(cidr.text)}`);
  if (warnings.length === 0 && cidr.text !== text)
    warnings.push(
      `${path}: IPv6 CIDR value ${quoted(text)} should be in RFC 5952 canonical format (${quoted(cidr.text)})`,
    );
  return warnings;
}

const RENAMED: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
]);

/** Undefined: the label is as good as any. */
export const labelDeprecation = (label: unknown): string | undefined => RENAMED.get(str(label));

export function renamedLabels(labels: unknown, pathOf: (label: string) => string): string[] {
  return entries(labels).flatMap(([label]) => {
    const message = labelDeprecation(label);
    return message === undefined ? [] : [`${pathOf(label)}: ${message}`];
  });
}

export function renamedKeys(expressions: unknown, path: string): string[] {
  return recs(expressions).flatMap((expression, index) => {
    const message = labelDeprecation(expression['key']);
    return message === undefined ? [] : [`${path}[${index}].key: ${str(expression['key'])} is ${message}`];
  });
}

/** A term of a node selector. Values are judged where validation leaves them alone: in preferences. */
export function nodeTermWarnings(term: unknown, path: string, judgesValues: boolean): string[] {
  const expressions = recs(field(term, 'matchExpressions'));
  const renamed = renamedKeys(expressions, `${path}.matchExpressions`);
  if (!judgesValues) return renamed;
  const values = expressions.flatMap((expression, at_) =>
    strs(expression['values']).flatMap((value, index) =>
      labelValue(value).map(
        (message) => `${path}.matchExpressions[${at_}].values[${index}]: ${value} is invalid, ${message}`,
      ),
    ),
  );
  return [...renamed, ...values];
}

export const nodeTermsWarnings = (terms: unknown, path: string): string[] =>
  recs(terms).flatMap((term, index) => nodeTermWarnings(term, `${path}[${index}]`, false));

const MILLI_NANO = 1_000_000n;

/** Resources counted in bytes: nobody has a fraction of one. */
export function fractionWarnings(resources: unknown, path: string, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = field(resources, name);
    if (unset(value)) return [];
    const milli = (quantityNano(value) + MILLI_NANO - 1n) / MILLI_NANO;
    return milli % 1000n === 0n
      ? []
      : [
          `${path}[${name}]: fractional byte value ${quoted(String(canonicalQuantity(value)))} is invalid, must be an integer`,
        ];
  });
}

export function claimSpecWarnings(spec: unknown, path: string): string[] {
  return ['requests', 'limits'].flatMap((kind) =>
    fractionWarnings(at(spec, 'resources', kind), `${path}.resources.${kind}`, ['storage']),
  );
}

export const hasAnnotation = (object: Rec, name: string): boolean =>
  at(object, 'metadata', 'annotations', name) !== undefined;

/** Of sources of volumes that nothing serves any more. */
export const GONE_VOLUMES: readonly (readonly [field: string, message: string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

/** The path names the field of Kubernetes' internal type. */
export const volumeFieldName = (name: string): string => (name === 'storageos' ? 'storageOS' : name);
