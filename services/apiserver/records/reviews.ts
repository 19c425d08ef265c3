/** The groups authentication.k8s.io and authorization.k8s.io: resources that are answered, not stored. */
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  tokenReview,
} from '../auth/reviews.js';
import type { ResourceRecord } from '../registry/record.js';
import type { RecordParts } from './parts.js';

const authorization = (resource: string) => ({ group: 'authorization.k8s.io', resource });
const authentication = (resource: string) => ({ group: 'authentication.k8s.io', resource });

export function reviewRecords({ reviews, clock }: RecordParts): ResourceRecord[] {
  if (reviews === undefined) return [];
  const { rbac, authenticator, audiences } = reviews;
  return [
    { resource: authorization('subjectaccessreviews'), handler: subjectAccessReview(rbac) },
    { resource: authorization('localsubjectaccessreviews'), handler: localSubjectAccessReview(rbac) },
    { resource: authorization('selfsubjectaccessreviews'), handler: selfSubjectAccessReview(rbac) },
    { resource: authorization('selfsubjectrulesreviews'), handler: selfSubjectRulesReview(rbac) },
    { resource: authentication('selfsubjectreviews'), handler: selfSubjectReview(clock) },
    { resource: authentication('tokenreviews'), handler: tokenReview(authenticator, audiences) },
  ];
}
