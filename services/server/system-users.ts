/**
 * Who the components inside a member are. Those that are part of the API itself are trusted, and the registry asks
 * nobody whether they may; scheduler and controllers have the rights of Kubernetes' roles for them, and every call of
 * theirs is authorized.
 */
import type { UserInfo } from '../../apimachinery/object-service.js';
import { COMPONENT_USERS } from '../../apimachinery/well-known.js';

const AUTHENTICATED = 'system:authenticated';
const trusted = (name: string): UserInfo => ({ name, groups: ['system:masters', AUTHENTICATED] });

export const TRUSTED_USERS = {
  apiserver: trusted(COMPONENT_USERS.apiserver),
  nodelink: trusted('system:nodelink'),
} as const;

export const COMPONENTS = {
  controllers: { name: 'system:kube-controller-manager', groups: [AUTHENTICATED] },
  scheduler: { name: 'system:kube-scheduler', groups: [AUTHENTICATED] },
} as const satisfies Record<string, UserInfo>;

/** The user that an account of kube-system is. */
export function accountUser(account: string): UserInfo {
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:kube-system', AUTHENTICATED];
  return { name: `system:serviceaccount:kube-system:${account}`, groups };
}

/** The subject of a certificate that shows its holder to be the user; that he is authenticated nobody needs to say. */
export function userSubject({ name, groups }: UserInfo): {
  readonly commonName: string;
  readonly organizations: readonly string[];
} {
  return { commonName: name, organizations: groups.filter((group) => group !== AUTHENTICATED) };
}
