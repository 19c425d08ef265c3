/** What an image's name says. */
import { str } from './value.js';

/** `Always` for `:latest` and for an image without tag and digest, otherwise `IfNotPresent`. */
export function pullPolicyFor(image: unknown): 'Always' | 'IfNotPresent' {
  const [name = '', digest] = str(image).split('@', 2);
  const tag = /:([^/:]+)$/.exec(name)?.[1];
  return tag === 'latest' || (tag === undefined && digest === undefined) ? 'Always' : 'IfNotPresent';
}
