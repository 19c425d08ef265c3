/**
 * Nobody grants what they do not hold: a role's rules must be covered by the author's own unless they may `escalate`; a
 * binding needs the same of the role it refers to unless they may `bind` ("Privilege escalation prevention and
 * bootstrapping"). An aggregation rule gathers whatever others hold later: only somebody who may do everything writes
 * to a role that has one.
 */
import { isDeepStrictEqual } from 'node:util';
import { clusterRoles, roles } from '../../../apimachinery/gen/resources.js';
import type { ClusterRole, Role, RoleBinding } from '../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { RbacAuthorizer } from '../auth/rbac-authorizer.js';
import type { PolicyRule } from '../auth/policy-rule.js';
import { covers } from '../auth/rbac-rules.js';
import { Turns } from '../../../platform/turns.js';
import { inSlices } from '../../../platform/work.js';
import type { AdmissionAttributes, ApiServerContext, ObjectReader } from '../ports.js';
import { missingWork, showList, showRights } from './missing-rights.js';
import type { AdmissionPlugin } from './plugin.js';

const GROUP = 'rbac.authorization.k8s.io';
const FULL_AUTHORITY: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

interface Rights {
  readonly authorizer: RbacAuthorizer;
  /** Before each slice of what takes long: shared by all requests. */
  readonly pause: () => Promise<void>;
}

export function rbacEscalation(
  authorizer: RbacAuthorizer,
  { reader, clock }: Pick<ApiServerContext, 'reader' | 'clock'>,
): AdmissionPlugin {
  const turns = new Turns(clock);
  const rights = { authorizer, pause: () => turns.next('comparing rights') };
  return {
    name: 'RBACEscalation',
    async validate(attributes) {
      if (attributes.kind.group !== GROUP || attributes.subresource !== undefined) return;
      if (attributes.operation !== 'CREATE' && attributes.operation !== 'UPDATE') return;
      if (changesOwnersOnly(attributes)) return;
      const isRole = attributes.kind.resource === 'roles' || attributes.kind.resource === 'clusterroles';
      if (isRole) await checkRole(rights, attributes);
      else await checkBinding(rights, reader, attributes);
    },
  };
}

const rulesOf = (object: unknown): readonly PolicyRule[] => (object as Role | ClusterRole | undefined)?.rules ?? [];

async function mayDo(
  authorizer: RbacAuthorizer,
  attributes: AdmissionAttributes,
  verb: string,
  resource: string,
  name: string,
): Promise<boolean> {
  const decision = await authorizer.authorize({
    kind: 'resource',
    user: attributes.user,
    verb,
    group: GROUP,
    version: 'v1',
    resource,
    name,
    ...(attributes.namespace === undefined ? {} : { namespace: attributes.namespace }),
  });
  return decision.allowed;
}

async function checkRole(rights: Rights, attributes: AdmissionAttributes): Promise<void> {
  const { authorizer } = rights;
  const wanted = rulesOf(attributes.object);
  if (await mayDo(authorizer, attributes, 'escalate', attributes.kind.resource, attributes.name)) return;
  await refuseUnlessCovered(rights, attributes, wanted);
  if (!aggregates(attributes.object) && !aggregates(attributes.oldObject)) return;
  const held = authorizer.rulesFor(attributes.user, '');
  if (FULL_AUTHORITY.every((rule) => covers(held, rule))) return;
  throw apiErrors.forbidden(
    attributes.kind,
    attributes.name,
    'must have cluster-admin privileges to use the aggregationRule',
  );
}

const aggregates = (role: unknown): boolean =>
  ((role as ClusterRole | undefined)?.aggregationRule?.clusterRoleSelectors ?? []).length > 0;

/**
 * The garbage collector's changes grant nothing; any other does: a label may give a role's rules to those of another.
 */
function changesOwnersOnly({ object, oldObject }: AdmissionAttributes): boolean {
  if (object === undefined || oldObject === undefined) return false;
  return isDeepStrictEqual(withoutOwners(object), withoutOwners(oldObject));
}

function withoutOwners(object: KubeObject): object {
  const {
    ownerReferences: _owners,
    finalizers: _finalizers,
    managedFields: _managers,
    resourceVersion: _version,
    ...metadata
  } = object.metadata ?? {};
  return { ...object, metadata };
}

async function checkBinding(rights: Rights, reader: ObjectReader, attributes: AdmissionAttributes): Promise<void> {
  const binding = attributes.object as RoleBinding;
  const { kind, name } = binding.roleRef;
  const resource = kind === 'ClusterRole' ? clusterRoles : roles;
  if (await mayDo(rights.authorizer, attributes, 'bind', resource.resource, name)) return;
  const scope = kind === 'ClusterRole' || attributes.namespace === undefined ? {} : { namespace: attributes.namespace };
  const role = await reader.getFresh(resource, { ...scope, name });
  // Of the role's name, but of the binding's resource, as kube-apiserver answers.
  if (role === undefined) throw apiErrors.notFound(attributes.kind, name);
  await refuseUnlessCovered(rights, attributes, rulesOf(role));
}

/**
 * Slices of a comparison, each of a few milliseconds: a role of ten thousand rules held against as many takes some
 * dozens.
 */
const SLICES_MAX = 2_000;

async function refuseUnlessCovered(
  { authorizer, pause }: Rights,
  attributes: AdmissionAttributes,
  wanted: readonly PolicyRule[],
): Promise<void> {
  const held = authorizer.rulesFor(attributes.user, attributes.namespace ?? '');
  let slices = 0;
  const missing = await inSlices(missingWork(held, wanted), () => {
    if ((slices += 1) > SLICES_MAX)
      throw apiErrors.requestEntityTooLarge(
        'the rules combine too many verbs, groups and resources to be compared with what you hold: write fewer, or wildcards',
      );
    return pause();
  });
  if (missing.length === 0) return;
  const list = showRights(missing);
  throw apiErrors.forbidden(
    attributes.kind,
    attributes.name,
    `user "${attributes.user.name}" (groups=${showList(attributes.user.groups)}) is attempting to grant RBAC permissions not currently held:\n${list}`,
  );
}
