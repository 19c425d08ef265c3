/**
 * Where a patch puts whole numbers that it writes as floats, `1.0`: JSON and merge patches work on text, so that Go's
 * decoder meets them as they were written and refuses them where a field is an integer. Strategic merge patches work on
 * values, which forget.
 */
import type { PatchRequest } from '../object-service.js';
import { isObject } from '../value.js';

type Floats = ReadonlyMap<string, string>;

const NONE: Floats = new Map();

/** Paths in the patched object -> the literals. `found`: those in the body of the patch, by their paths there. */
export function floatsOfPatch({ type, patch }: Pick<PatchRequest, 'type' | 'patch'>, found: Floats = NONE): Floats {
  if (found.size === 0 || type === 'merge') return type === 'merge' ? found : NONE;
  return type === 'json' && Array.isArray(patch) ? floatsOfOperations(patch, found) : NONE;
}

function floatsOfOperations(operations: readonly unknown[], found: Floats): Floats {
  const placed = new Map<string, string>();
  for (const [index, operation] of operations.entries()) {
    const place = isObject(operation) ? dotted(operation['path']) : undefined;
    if (place === undefined) continue;
    // What an operation writes over is gone.
    for (const path of placed.keys()) if (isBelow(path, place)) placed.delete(path);
    const value = `[${index}].value`;
    for (const [path, literal] of found)
      if (isBelow(path, value)) placed.set(`${place}${path.slice(value.length)}`, literal);
  }
  return placed;
}

const isBelow = (path: string, above: string): boolean =>
  path === above || (path.startsWith(above) && /^[.[]/.test(path.slice(above.length)));

/** `/spec/ports/0` as `spec.ports[0]`. Nothing for the end of a list, whose index the object knows. */
function dotted(pointer: unknown): string | undefined {
  if (typeof pointer !== 'string' || pointer.endsWith('/-')) return undefined;
  const names = pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  return names
    .map((name) => (/^\d+$/.test(name) ? `[${name}]` : `.${name}`))
    .join('')
    .replace(/^\./, '');
}
