/**
 * Nobody grants what they do not hold: a role's rules must be covered by the author's own unless they may `escalate`; a binding
 * needs the same of the role it refers to unless they may `bind` ("Privilege escalation prevention and bootstrapping"). An
 * aggregation rule gathers whatever others hold later: only somebody who may do everything writes to a role that has one.
 */
import { isDeepStrictEqual } from 'node:util';
import { clusterRoles, roles } from '../../../apimachinery/gen/resources.js';
import type { ClusterRole, Role, RoleBinding } from '../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { RbacAuthorizer } from '../auth/rbac-authorizer.js';
import { covers, type PolicyRule } from '../auth/rbac-rules.js';
import type { AdmissionAttributes, ObjectReader } from '../ports.js';
import type { AdmissionPlugin } from './plugin.js';

const GROUP = 'rbac.authorization.k8s.io';
const FULL_AUTHORITY: readonly PolicyRule[] = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }];

export function rbacEscalation(authorizer: RbacAuthorizer, reader: ObjectReader): AdmissionPlugin {
  return {
    name: 'RBACEscalation',
    async validate(attributes) {
      if (attributes.kind.group !== GROUP || attributes.subresource !== undefined) return;
      if (attributes.operation !== 'CREATE' && attributes.operation !== 'UPDATE') return;
      if (changesOwnersOnly(attributes)) return;
      const isRole = attributes.kind.resource === 'roles' || attributes.kind.resource === 'clusterroles';
      if (isRole) await checkRole(authorizer, attributes);
      else await checkBinding(authorizer, reader, attributes);
    },
  };
}

const rulesOf = (object: unknown): readonly PolicyRule[] => (object as Role | ClusterRole | undefined)?.rules ?? [];

async function mayDo(authorizer: RbacAuthorizer, attributes: AdmissionAttributes, verb: string, resource: string, name: string): Promise<boolean> {
  const decision = await authorizer.authorize({
    kind: 'resource', user: attributes.user, verb, group: GROUP, version: 'v1', resource, name,
    ...(attributes.namespace === undefined ? {} : { namespace: attributes.namespace }),
  });
  return decision.allowed;
}

async function checkRole(authorizer: RbacAuthorizer, attributes: AdmissionAttributes): Promise<void> {
  const wanted = rulesOf(attributes.object);
  if (await mayDo(authorizer, attributes, 'escalate', attributes.kind.resource, attributes.name)) return;
  refuseUnlessCovered(authorizer, attributes, wanted);
  if (!aggregates(attributes.object) && !aggregates(attributes.oldObject)) return;
  const held = authorizer.rulesFor(attributes.user, '');
  if (FULL_AUTHORITY.every((rule) => covers(held, rule))) return;
  throw apiErrors.forbidden(attributes.kind, attributes.name, 'must have cluster-admin privileges to use the aggregationRule');
}

const aggregates = (role: unknown): boolean => ((role as ClusterRole | undefined)?.aggregationRule?.clusterRoleSelectors ?? []).length > 0;

/** The garbage collector's changes grant nothing; any other does: a label may give a role's rules to those of another. */
function changesOwnersOnly({ object, oldObject }: AdmissionAttributes): boolean {
  if (object === undefined || oldObject === undefined) return false;
  return isDeepStrictEqual(withoutOwners(object), withoutOwners(oldObject));
}

function withoutOwners(object: KubeObject): object {
  const { ownerReferences: _owners, finalizers: _finalizers, managedFields: _managers, resourceVersion: _version, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
}

async function checkBinding(authorizer: RbacAuthorizer, reader: ObjectReader, attributes: AdmissionAttributes): Promise<void> {
  const binding = attributes.object as RoleBinding;
  const { kind, name } = binding.roleRef;
  const resource = kind === 'ClusterRole' ? clusterRoles : roles;
  if (await mayDo(authorizer, attributes, 'bind', resource.resource, name)) return;
  const scope = kind === 'ClusterRole' || attributes.namespace === undefined ? {} : { namespace: attributes.namespace };
  const role = await reader.getFresh(resource, { ...scope, name });
  if (role === undefined) throw apiErrors.notFound(resource, name);
  refuseUnlessCovered(authorizer, attributes, rulesOf(role));
}

function refuseUnlessCovered(authorizer: RbacAuthorizer, attributes: AdmissionAttributes, wanted: readonly PolicyRule[]): void {
  const held = authorizer.rulesFor(attributes.user, attributes.namespace ?? '');
  const missing = wanted.filter((rule) => !covers(held, rule));
  if (missing.length === 0) return;
  const list = missing.map((rule) => JSON.stringify(rule)).join('\n');
  throw apiErrors.forbidden(attributes.kind, attributes.name, `user "${attributes.user.name}" (groups=${JSON.stringify(attributes.user.groups)}) is attempting to grant RBAC permissions not currently held:\n${list}`);
}
