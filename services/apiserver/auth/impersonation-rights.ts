/** Which rights it takes to be a user, in the order in which they are asked for. */
import { dns1123Label, dns1123Subdomain, domainPrefixedPath } from '../../../apimachinery/names.js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import { fieldErrors } from '../../../apimachinery/status.js';
import type { AuthorizationAttributes } from '../ports.js';
import { forbidden } from './forbidden.js';

const GROUP = 'authentication.k8s.io';
const MASTERS = 'system:masters';
/** From so many groups or extras on, the right to all of them is tried first. */
const MANY = 4;

export interface Right {
  /** All of them must be allowed. */
  readonly each: readonly AuthorizationAttributes[];
  /** Allowed, it stands for them all. */
  readonly instead?: AuthorizationAttributes;
}

export interface Change {
  /** Who asks. */
  readonly caller: UserInfo;
  readonly wanted: UserInfo;
  /** `impersonate`, which takes groups and extras as they come, or `impersonate:<mode>`. */
  readonly verb: string;
}

type Of = Pick<AuthorizationAttributes & { kind: 'resource' }, 'resource' | 'name' | 'namespace' | 'subresource'>;

/** Throws Forbidden when it comes to what nobody may be. */
export function* rightsToBe(change: Change): Generator<Right> {
  const { wanted } = change;
  yield { each: [ofName(change)] };
  if (wanted.uid !== undefined) yield { each: [attributes(change, GROUP, { resource: 'uids', name: wanted.uid })] };
  if (wanted.groups.length > 0) yield ofGroups(change);
  if (wanted.extra !== undefined) yield ofExtra(change, wanted.extra);
}

function ofName(change: Change): AuthorizationAttributes {
  const { name } = change.wanted;
  const account = accountOf(name);
  if (account !== undefined)
    return attributes(change, groupOfNames(change), { resource: 'serviceaccounts', ...account });
  const node = isConstrained(change) ? nodeOf(name) : undefined;
  if (node === undefined) return attributes(change, groupOfNames(change), { resource: 'users', name });
  // A caller that is bound to a node is asked about in a way that is the same on every node.
  return attributes(change, GROUP, {
    resource: 'nodes',
    name: change.verb === 'impersonate:associated-node' ? '*' : node,
  });
}

function ofGroups(change: Change): Right {
  const { groups } = change.wanted;
  const one = (name: string) => attributes(change, groupOfNames(change), { resource: 'groups', name });
  if (!isConstrained(change)) return { each: groups.map(one) };
  if (groups.includes('')) throw forbidden(one(''), 'impersonating the empty string group is not allowed');
  if (groups.includes(MASTERS)) throw forbidden(one(MASTERS), `impersonating the ${MASTERS} group is not allowed`);
  return { each: groups.map(one), ...(groups.length < MANY ? {} : { instead: one('*') }) };
}

function ofExtra(change: Change, extra: NonNullable<UserInfo['extra']>): Right {
  const one = (subresource: string, name: string) =>
    attributes(change, GROUP, { resource: 'userextras', subresource, name });
  const each = Object.entries(extra).flatMap(([key, values]) => values.map((value) => one(key, value)));
  if (!isConstrained(change)) return { each };
  for (const [key, values] of Object.entries(extra)) {
    const complaint = complaintOf(key, values);
    if (complaint !== undefined)
      throw forbidden(attributes(change, GROUP, { resource: 'userextras', name: '' }), complaint);
  }
  return { each, ...(each.length < MANY ? {} : { instead: one('*', '*') }) };
}

function complaintOf(key: string, values: readonly string[]): string | undefined {
  if (key === '') return 'impersonating the empty string key in extra is not allowed';
  const [host = '', ...path] = key.split('/');
  const complaints = domainPrefixedPath(key).map((why) => {
    const value =
      path.length === 0 || host === '' || path.join('/') === ''
        ? key
        : why.startsWith('Invalid path')
          ? path.join('/')
          : host;
    return `extra.key: ${fieldErrors.invalid('extra.key', value, why).detail}`;
  });
  const all = complaints.length > 1 ? `[${complaints.join(', ')}]` : complaints[0];
  if (all !== undefined) return `impersonating an invalid key in extra is not allowed: ${all}`;
  if (key !== key.toLowerCase())
    return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
  return values.includes('') ? 'impersonating the empty string value in extra is not allowed' : undefined;
}

const isConstrained = ({ verb }: Change): boolean => verb !== 'impersonate';

/** The older verb knows users, groups and accounts of the core group; uids and extras always had their own. */
const groupOfNames = (change: Change): string => (isConstrained(change) ? GROUP : '');

function attributes({ caller, verb }: Change, group: string, of: Of): AuthorizationAttributes {
  return { kind: 'resource', user: caller, verb, group, version: 'v1', ...of };
}

/** The node that a user name stands for. */
export function nodeOf(user: string): string | undefined {
  const name = /^system:node:(.*)$/s.exec(user)?.[1];
  return name === undefined || dns1123Subdomain(name).length > 0 ? undefined : name;
}

/** The service account that a user name stands for. */
export function accountOf(user: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace = '', name = ''] = /^system:serviceaccount:([^:]*):([^:]*)$/.exec(user) ?? [];
  return dns1123Label(namespace).length > 0 || dns1123Subdomain(name).length > 0 ? undefined : { namespace, name };
}
