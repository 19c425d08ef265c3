/** The user that a request's `Impersonate-*` headers name (k8s.io/apiserver/pkg/endpoints/filters/impersonation). */
import type { UserInfo } from '../../../apimachinery/object-service.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { AuthenticationRequest } from '../ports.js';

const EXTRA_PREFIX = 'impersonate-extra-';

/**
 * As written in the headers, without implied groups. Undefined: nobody is impersonated. Throws BadRequest for details
 * of a user without a name.
 */
export function impersonatedUser(headers: AuthenticationRequest['headers']): UserInfo | undefined {
  const all = (name: string): readonly string[] => [headers[name] ?? []].flat();
  const name = all('impersonate-user')[0] ?? '';
  const uid = all('impersonate-uid')[0] ?? '';
  const groups = all('impersonate-group');
  const extra = extraOf(headers);
  const user: UserInfo = { name, groups, ...(uid === '' ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
  if (name !== '') return user;
  if (uid === '' && groups.length === 0 && extra === undefined) return undefined;
  throw apiErrors.badRequest(`requested ${goUser(user)} without impersonating a user name`);
}

/** Keys are lower case, and percent-encoded where a header's name could not hold them. */
function extraOf(headers: AuthenticationRequest['headers']): UserInfo['extra'] {
  const extra = new Map<string, string[]>();
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(EXTRA_PREFIX) || value === undefined) continue;
    const key = decoded(name.slice(EXTRA_PREFIX.length));
    extra.set(key, [...(extra.get(key) ?? []), ...[value].flat()]);
  }
  return extra.size === 0 ? undefined : Object.fromEntries(extra);
}

/** A key that is not encoded properly is taken as it stands. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** As Go prints it: clients see it. */
function goUser({ groups, uid = '', extra }: UserInfo): string {
  const list = (values: readonly string[]): string =>
    values.length === 0 ? '[]string(nil)' : `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`;
  const pairs = Object.entries(extra ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`);
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid)}, Groups:${list(groups)}, Extra:map[string][]string${extra === undefined ? '(nil)' : `{${pairs.join(', ')}}`}}`;
}
