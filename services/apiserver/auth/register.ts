/** Hangs reviews and token requests on the registry: resources that are asked, not stored. */
import type { Clock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type { ObjectReader } from '../ports.js';
import type { Registry } from '../registry/registry.js';
import type { ClusterAuthenticator } from './authenticator.js';
import type { RbacAuthorizer } from './rbac-authorizer.js';
import {
  localSubjectAccessReview, selfSubjectAccessReview, selfSubjectReview, selfSubjectRulesReview, subjectAccessReview, tokenRequest, tokenReview,
} from './reviews.js';
import type { ServiceAccountTokens } from './service-account-tokens.js';

export interface ReviewParts {
  readonly reader: ObjectReader;
  readonly rbac: RbacAuthorizer;
  readonly authenticator: ClusterAuthenticator;
  readonly tokens: ServiceAccountTokens;
  readonly audiences: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

export function registerReviews(registry: Registry, parts: ReviewParts): void {
  const { rbac, authenticator, audiences, clock } = parts;
  const authorization = (resource: string) => ({ group: 'authorization.k8s.io', resource });
  const authentication = (resource: string) => ({ group: 'authentication.k8s.io', resource });
  registry.handle(authorization('subjectaccessreviews'), subjectAccessReview(rbac));
  registry.handle(authorization('localsubjectaccessreviews'), localSubjectAccessReview(rbac));
  registry.handle(authorization('selfsubjectaccessreviews'), selfSubjectAccessReview(rbac));
  registry.handle(authorization('selfsubjectrulesreviews'), selfSubjectRulesReview(rbac));
  registry.handle(authentication('selfsubjectreviews'), selfSubjectReview(clock));
  registry.handle(authentication('tokenreviews'), tokenReview(authenticator, audiences));
  registry.handle({ group: '', resource: 'serviceaccounts' }, tokenRequest(parts), 'token');
}
