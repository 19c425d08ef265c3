/** Reviews of access that are refused, in the words of kube-apiserver v1.36 (issue 6, rows 17 and 42). */
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import { refuseReview, type ReviewKind } from './validate-review.js';

function complaintsOf(kind: ReviewKind, review: object): readonly string[] {
  try {
    refuseReview(review as KubeObject, kind, 'n');
    return [];
  } catch (error) {
    if (!isApiError(error)) throw error;
    return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

const ONE =
  'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified';
const NOBODY = 'spec.user: Invalid value: "": at least one of user or group must be specified';

describe('a review of access', () => {
  it.each<[ReviewKind, object, readonly string[]]>([
    ['SubjectAccessReview', { spec: {} }, [ONE, NOBODY]],
    ['SubjectAccessReview', { spec: { groups: ['g'], resourceAttributes: {} } }, []],
    [
      'SubjectAccessReview',
      { spec: { user: 'a', resourceAttributes: {}, nonResourceAttributes: {} } },
      [
        'spec.nonResourceAttributes: Invalid value: {"Path":"","Verb":""}: cannot be specified in combination with resourceAttributes',
      ],
    ],
    [
      'SubjectAccessReview',
      { metadata: { name: 'x' }, spec: { user: 'a', resourceAttributes: {} } },
      ['metadata: Invalid value: {"name":"x"}: must be empty'],
    ],
    [
      'SubjectAccessReview',
      {
        spec: {
          user: 'a',
          resourceAttributes: {
            fieldSelector: { rawSelector: 'a=b', requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
          },
        },
      },
      [
        'spec.resourceAttributes.fieldSelector.rawSelector: Invalid value: "a=b": may not specified at the same time as requirements',
      ],
    ],
    [
      'SubjectAccessReview',
      { spec: { user: 'a', resourceAttributes: { labelSelector: {} } } },
      [
        'spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required',
      ],
    ],
    [
      'SubjectAccessReview',
      {
        spec: {
          user: 'a',
          resourceAttributes: { fieldSelector: { requirements: [{ operator: 'Exists', values: ['a'] }] } },
        },
      },
      [
        'spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified',
        "spec.resourceAttributes.fieldSelector.requirements[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      ],
    ],
    [
      'SubjectAccessReview',
      {
        spec: {
          user: 'a',
          resourceAttributes: { labelSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b', '-'] }] } },
        },
      },
      [
        expect.stringMatching(
          /^spec\.resourceAttributes\.labelSelector\.requirements\[0\]\.values\[1\]: Invalid value: "-": a valid label must be/,
        ) as string,
      ],
    ],
    ['SelfSubjectAccessReview', { spec: {} }, [ONE]],
    ['SelfSubjectAccessReview', { spec: { nonResourceAttributes: { path: '/' } } }, []],
    [
      'LocalSubjectAccessReview',
      { metadata: { namespace: 'n' }, spec: { user: 'a', resourceAttributes: { namespace: 'n' } } },
      [],
    ],
    [
      'LocalSubjectAccessReview',
      { spec: { user: 'a', resourceAttributes: { namespace: 'other' } } },
      ['spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace'],
    ],
    [
      'LocalSubjectAccessReview',
      { spec: { user: 'a', nonResourceAttributes: { path: '/' } } },
      ['spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":""}: disallowed on this kind of request'],
    ],
  ])('%s %j', (kind, review, complaints) => {
    expect(complaintsOf(kind, review)).toEqual(complaints);
  });
});
