/**
 * What is stored of minimal and half-filled objects of the built-in kinds: defaults, and what of `{}`, `[]` and null
 * counts as absent. The data hold what kube-apiserver v1.36 made of the same request, without what admission adds.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { isObject } from '../../../apimachinery/value.js';
import { kindOf, startRegistry } from './testing.js';

interface Row {
  readonly given: UnknownObject;
  readonly stored: Record<string, unknown>;
}

const rows = JSON.parse(readFileSync(new URL('./testdata/defaults.json', import.meta.url), 'utf8')) as readonly Row[];

const SERVERS_OWN = new Set(['uid', 'creationTimestamp', 'managedFields', 'namespace', 'resourceVersion']);
const MADE_UP: Readonly<Record<string, string>> = {
  'controller-uid': 'UID',
  'batch.kubernetes.io/controller-uid': 'UID',
  lastPhaseTransitionTime: 'TIME',
  timeAdded: 'TIME',
};

/** With what differs from server to server replaced. */
function settled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(settled);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, Object.hasOwn(MADE_UP, name) ? MADE_UP[name] : settled(inner)]),
  );
}

function comparable(object: KubeObject): unknown {
  const { apiVersion: _version, kind: _kind, metadata = {}, ...rest } = object;
  return settled({
    ...rest,
    metadata: Object.fromEntries(Object.entries(metadata).filter(([name]) => !SERVERS_OWN.has(name))),
  });
}

describe('defaults and emptiness (rows 15 and 38)', () => {
  it.each(rows.map((row) => [`${String(row.given.kind)} ${row.given.metadata?.name ?? ''}`, row] as const))(
    '%s',
    async (_title, { given, stored }) => {
      await using registry = await startRegistry();
      const kind = kindOf(registry.scheme, given);
      const place = { resource: kind, ...(kind.namespaced ? { namespace: 'n' } : {}) };
      const name = given.metadata?.name ?? '';
      const made = await registry.service.create({ ...place, object: given });
      expect(comparable(made.object)).toEqual(stored);
      expect((await registry.service.get({ ...place, name })).object).toEqual(made.object);
      // Sent again, by the client and as the server gave it, it changes nothing.
      const again = await registry.service.update({
        ...place,
        name,
        object: structuredClone(made.object) as UnknownObject,
      });
      expect(again.object.metadata?.resourceVersion).toBe(made.object.metadata?.resourceVersion);
    },
  );
});
