/** Rules and subjects of roles and bindings (rbac.authorization.k8s.io/v1), and what they are held against. */

export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface Subject {
  readonly kind: string;
  readonly apiGroup?: string;
  readonly name: string;
  readonly namespace?: string;
}

/** What a rule is held against: a request for a resource, or for another path. */
export type RequestAttributes =
  | {
      readonly kind: 'resource';
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      /** '' when absent. */
      readonly subresource: string;
      /** '' for cluster-scoped requests and for requests over all namespaces. */
      readonly namespace: string;
      /** '' when the request names no object. */
      readonly name: string;
    }
  | { readonly kind: 'path'; readonly verb: string; readonly path: string };
