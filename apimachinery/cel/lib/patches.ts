/**
 * Kubernetes' JSON patch library, for the expressions of mutating admission policies alone: steps of JSON pointers (RFC
 * 6901).
 */
import type { Library } from '../check/declare.js';
import { global } from '../check/declare.js';

export const PATCHES: Library = {
  'jsonpatch.escapeKey': [
    global('string_jsonpatch_escapeKey_string', '(string) string', (key: string) =>
      key.replaceAll('~', '~0').replaceAll('/', '~1'),
    ),
  ],
};
