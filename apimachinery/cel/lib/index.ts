/** All functions that a rule may call: those of kube-apiserver 1.36 for custom resources. */
import type { Library, Overload } from '../check/declare.js';
import { ADDRESSES } from './addresses.js';
import { AUTHORIZER } from './authorizer.js';
import { FORMAT_LIBRARY } from './formats.js';
import { LISTS } from './lists.js';
import { OPERATORS } from './operators.js';
import { OPTIONALS } from './optionals.js';
import { QUANTITIES } from './quantities.js';
import { REGEX } from './regex.js';
import { SEMVER } from './semver.js';
import { STANDARD } from './standard.js';
import { STRINGS } from './strings.js';
import { URLS } from './urls.js';

/** Libraries add overloads to functions of the same name. */
function merged(libraries: readonly Library[]): Library {
  const all: Record<string, Overload[]> = {};
  for (const library of libraries)
    for (const [name, overloads] of Object.entries(library)) (all[name] ??= []).push(...overloads);
  return all;
}

export const FUNCTIONS: Library = merged([
  OPERATORS,
  STANDARD,
  STRINGS,
  LISTS,
  OPTIONALS,
  REGEX,
  URLS,
  QUANTITIES,
  ADDRESSES,
  SEMVER,
  FORMAT_LIBRARY,
  AUTHORIZER,
]);
