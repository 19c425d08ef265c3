/** Pod templates: the pod that one makes, and the hash that names it. Pure functions. */
import { encodeJson } from '../../../../apimachinery/json-value.js';
import type { Pod, PodTemplateSpec } from '../../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../../apimachinery/object.js';
import { equalJson } from '../equal.js';

export const HASH_LABEL = 'pod-template-hash';
const NAME_LENGTH_MAX = 253;

/**
 * A pod as the template has it, in the owner's namespace, named after the owner. The owner reference comes when it is
 * created.
 */
export function podFromTemplate({ metadata }: KubeObject, template: PodTemplateSpec | undefined): Pod {
  const { name = '', namespace = '' } = metadata ?? {};
  const given = template?.metadata;
  return {
    metadata: {
      generateName: name.length < NAME_LENGTH_MAX ? `${name}-` : name,
      namespace,
      labels: { ...given?.labels },
      annotations: { ...given?.annotations },
      ...(given?.finalizers === undefined ? {} : { finalizers: [...given.finalizers] }),
    },
    ...(template?.spec === undefined ? {} : { spec: structuredClone(template.spec) }),
  };
}

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec {
  const { [HASH_LABEL]: _, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

/** Whether the two make the same pods; the label with the hash does not count. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return equalJson(withoutHash(a), withoutHash(b));
}

/**
 * Of the template without its hash label. The collision count makes another hash of the same template, when the first
 * one's name is taken.
 */
export function templateHash(template: PodTemplateSpec | undefined, collisionCount: number | undefined): string {
  return hashOf(withoutHash(template), collisionCount);
}

// Letters and digits without vowels: no hash spells a word (k8s.io/apimachinery/pkg/util/rand).
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a over the canonical JSON of the value and the collision count, in ten safe characters at most. */
export function hashOf(value: unknown, collisionCount: number | undefined): string {
  let hash = 0x811c9dc5;
  const text = canonical(value) + (collisionCount === undefined ? '' : `#${collisionCount}`);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return Array.from(String(hash), (digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length]).join('');
}

/** The same text for values that are equal as JSON: keys sorted, undefined left out. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return encodeJson(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, v]) => `${JSON.stringify(key)}:${canonical(v)}`).join(',')}}`;
}
