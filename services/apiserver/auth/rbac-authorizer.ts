/**
 * RBAC over the roles and bindings in this member's cache. What bindings grant is indexed by user and group, and
 * follows the roles and bindings that change; a request looks at its own subjects' grants alone.
 */
import { jsonEqual } from '../../../apimachinery/value.js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject, ResourceId } from '../../../apimachinery/object.js';
import type { AuthorizationAttributes, Authorizer, Decision, ObjectReader } from '../ports.js';
import type { ClusterRole, RoleBinding } from './bootstrap-policy.js';
import { GrantIndex } from './grant-index.js';
import type { Granted } from './grant-index.js';
import { RuleIndex } from './rule-index.js';
import { ruleAllows } from './rbac-rules.js';
import type { PolicyRule, RequestAttributes } from './policy-rule.js';

const rbac = (resource: string): ResourceId => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });
const CLUSTER_ROLES = rbac('clusterroles');
const CLUSTER_ROLE_BINDINGS = rbac('clusterrolebindings');
const ROLES = rbac('roles');
const ROLE_BINDINGS = rbac('rolebindings');
const SOURCES = [CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS];

/** Members of this group may do everything, whatever the roles say (as in Kubernetes). */
const SUPERUSERS = 'system:masters';
const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

const NO_RULES: readonly PolicyRule[] = [];

export class RbacAuthorizer implements Authorizer {
  readonly #reader: ObjectReader;
  #builtFrom: readonly number[] = [];
  readonly #grants = new GrantIndex();

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  authorize(attributes: AuthorizationAttributes): Promise<Decision> {
    if (attributes.user.groups.includes(SUPERUSERS)) return Promise.resolve({ allowed: true, reason: '' });
    const request = requestOf(attributes);
    const namespace = request.kind === 'resource' ? request.namespace : '';
    for (const rules of this.#rulesGranted(attributes.user, namespace)) {
      if (
        RuleIndex.of(rules)
          .concerning(request)
          .some((rule) => ruleAllows(rule, request))
      )
        return Promise.resolve({ allowed: true, reason: '' });
    }
    return Promise.resolve({ allowed: false, reason: '' });
  }

  /**
   * All rules the user has in a namespace ('' for cluster-wide ones alone): for SelfSubjectRulesReview and escalation
   * checks.
   */
  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[] {
    const granted = [...new Set(this.#rulesGranted(user, namespace))].flat();
    if (!user.groups.includes(SUPERUSERS)) return granted;
    return [...EVERYTHING, ...granted.filter((rule) => !EVERYTHING.some((one) => jsonEqual(one, rule)))];
  }

  /** Of each role; of requests for paths, and of those over all namespaces, `namespace` is ''. */
  *#rulesGranted(user: UserInfo, namespace: string): Iterable<readonly PolicyRule[]> {
    this.#refresh();
    for (const key of [`u:${user.name}`, ...user.groups.map((group) => `g:${group}`)]) {
      yield* this.#grants.rulesOf(key, namespace);
    }
  }

  #refresh(): void {
    const now = SOURCES.map((resource) => this.#reader.changes(resource));
    if (now.every((value, index) => value === this.#builtFrom[index])) return;
    this.#builtFrom = now;
    this.#grants.refresh(this.#granted());
  }

  *#granted(): Iterable<Granted> {
    for (const binding of this.#reader.list(CLUSTER_ROLE_BINDINGS) as readonly RoleBinding[])
      yield { binding, namespace: '', rules: this.#rulesOf(binding, '') };
    for (const binding of this.#reader.list(ROLE_BINDINGS) as readonly RoleBinding[]) {
      const namespace = binding.metadata?.namespace ?? '';
      yield { binding, namespace, rules: this.#rulesOf(binding, namespace) };
    }
  }

  #rulesOf(binding: RoleBinding, namespace: string): readonly PolicyRule[] {
    const { kind, name } = binding.roleRef;
    let role: KubeObject | undefined;
    if (kind === 'ClusterRole') role = this.#reader.get(CLUSTER_ROLES, { name });
    else if (kind === 'Role' && namespace !== '') role = this.#reader.get(ROLES, { namespace, name });
    return (role as ClusterRole | undefined)?.rules ?? NO_RULES;
  }
}

function requestOf(attributes: AuthorizationAttributes): RequestAttributes {
  if (attributes.kind === 'nonResource') return { kind: 'path', verb: attributes.verb, path: attributes.path };
  return {
    kind: 'resource',
    verb: attributes.verb,
    group: attributes.group,
    resource: attributes.resource,
    subresource: attributes.subresource ?? '',
    namespace: attributes.namespace ?? '',
    name: attributes.name ?? '',
  };
}
